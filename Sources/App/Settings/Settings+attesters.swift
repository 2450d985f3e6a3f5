import AuditLog
import Transparency

extension Settings {
    /// Who is asked to vouch for the root log. Refuses a policy or certificates that cannot be read, and an authority without
    /// them: what nobody can check is not asked for.
    static func attesters(_ reader: SettingsReader) throws(SettingsError) -> Attesters {
        var policy: LogPolicy?
        if let text = reader[.witnessPolicy], !text.isEmpty {
            do throws(NoteError) {
                policy = try LogPolicy(parsing: Array(text.utf8))
            } catch {
                throw .invalid(Setting.witnessPolicy.environmentName, "cannot be used: \(error)")
            }
        }
        guard let url = reader[.timestampURL], !url.isEmpty else {
            return Attesters(policy: policy, authorities: [])
        }
        let pem = try required(.timestampCertificates, in: reader)
        do throws(TimestampError) {
            let certificates = try TimestampAuthorities(pem: pem)
            return Attesters(
                policy: policy,
                authorities: [Attesters.Authority(url: url, certificates: certificates)]
            )
        } catch {
            throw .invalid(Setting.timestampCertificates.environmentName, "cannot be used: \(error)")
        }
    }
}
