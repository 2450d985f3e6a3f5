let probe = PackageResources.standard_webhooks_yaml
