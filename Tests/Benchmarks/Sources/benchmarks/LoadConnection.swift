import NIOCore

/// One keep-alive connection: one request out, its answer in. Understands answers with a Content-Length, which is all
/// that is measured.
// Touched on its loop only, as its run.
final class LoadConnection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let run: LoadRun
    private let channel: any Channel
    private var received = ByteBuffer()
    private var due = NIODeadline.uptimeNanoseconds(0)

    init(_ run: LoadRun, of channel: any Channel) {
        self.run = run
        self.channel = channel
        run.add(self)
    }

    func send(_ request: [UInt8], due: NIODeadline) {
        self.due = due
        channel.writeAndFlush(ByteBuffer(bytes: request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var more = unwrapInboundIn(data)
        received.writeBuffer(&more)
        guard let answer = takeAnswer() else { return }
        run.answered(answer.status, answer.body, due: due, on: self)
    }

    func channelInactive(context: ChannelHandlerContext) { run.closed() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        run.fail(error)
        context.close(promise: nil)
    }

    private func takeAnswer() -> (status: Int, body: [UInt8])? {
        let head = received.withUnsafeReadableBytes { Head($0) }
        guard let head, received.readableBytes >= head.length + head.contentLength else { return nil }
        received.moveReaderIndex(forwardBy: head.length)
        let body = received.readBytes(length: head.contentLength) ?? []
        received.discardReadBytes()
        return (head.status, body)
    }
}

/// What has to be known of an answer's head.
private struct Head {
    let status: Int
    let length: Int
    let contentLength: Int

    private static let end = Array("\r\n\r\n".utf8)
    private static let field = Array("content-length:".utf8)

    /// nil while the head is not complete.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 12, let end = Self.find(Self.end, in: bytes, upTo: bytes.count, ignoring: 0) else {
            return nil
        }
        length = end + Self.end.count
        status = Self.number(bytes, from: 9)
        contentLength =
            Self.find(Self.field, in: bytes, upTo: end, ignoring: 0x20).map {
                Self.number(bytes, from: $0 + Self.field.count)
            } ?? 0
    }

    /// `bit`: of every character; 0x20 is the case of letters.
    private static func find(
        _ wanted: [UInt8],
        in bytes: UnsafeRawBufferPointer,
        upTo end: Int,
        ignoring bit: UInt8
    ) -> Int? {
        guard end >= wanted.count else { return nil }
        for start in 0...(end - wanted.count) where bytes[start] | bit == wanted[0] | bit {
            var place = 1
            while place < wanted.count, bytes[start + place] | bit == wanted[place] | bit { place += 1 }
            if place == wanted.count { return start }
        }
        return nil
    }

    private static func number(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var number = 0
        for byte in bytes[start...].drop(while: { $0 == UInt8(ascii: " ") }) {
            guard (48...57).contains(byte) else { break }
            number = number * 10 + Int(byte - 48)
        }
        return number
    }
}
