import Edge

extension Settings {
    static func proxyCredentials(_ reader: SettingsReader) throws(SettingsError) -> ProxyCredentials {
        do throws(ProxyCredentialsError) {
            return try ProxyCredentials(parsing: reader[.proxyCredentials] ?? "")
        } catch {
            throw .invalid(Setting.proxyCredentials.environmentName, "cannot be used: \(error)")
        }
    }

    static func rates(_ reader: SettingsReader) throws(SettingsError) -> CallerLimits.Rates {
        CallerLimits.Rates(
            perAddress: try rate(.ratePerAddress, in: reader),
            perClient: try rate(.ratePerClient, in: reader),
            failures: try rate(.rateOfFailures, in: reader),
            checks: try rate(.rateOfChecks, in: reader)
        )
    }

    /// `100:200` is a hundred a second, and two hundred at once after a pause.
    private static func rate(_ setting: Setting, in reader: SettingsReader) throws(SettingsError) -> Rate? {
        let text = try required(setting, in: reader)
        if text == "off" { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let perSecond = Double(parts[0]), let burst = Int(parts[1]),
            let rate = Rate(perSecond: perSecond, burst: burst)
        else {
            throw .invalid(
                setting.environmentName,
                "is neither off nor a second's and a burst's number, such as 100:200"
            )
        }
        return rate
    }
}
