// Provisioning
