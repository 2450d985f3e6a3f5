-- What members do with their own accounts, and who has to agree to it.

-- A token of a grant names what its client proved itself by: a secret, or a registration of keys. With that it ends, and
-- those of the others live on.
ALTER TABLE tokens
    ADD COLUMN secret_id uuid,
    ADD COLUMN keys_id uuid,
    ADD CONSTRAINT tokens_proved_in_one_way CHECK (secret_id IS NULL OR keys_id IS NULL),
    ADD CONSTRAINT tokens_secret FOREIGN KEY (organization_id, secret_id) REFERENCES grant_secrets;

-- Codes for whoever lost their authenticator, each good once, by digest under a keyring key. Another set replaces them.
CREATE TABLE recovery_codes (
    organization_id uuid NOT NULL,
    user_id         uuid NOT NULL,
    digest          bytea NOT NULL,
    made_at         timestamptz NOT NULL,
    used_at         timestamptz,
    PRIMARY KEY (organization_id, user_id, digest),
    CONSTRAINT recovery_codes_digest_length CHECK (length(digest) = 32),
    CONSTRAINT recovery_codes_account FOREIGN KEY (organization_id, user_id) REFERENCES accounts
);
CALL protect('recovery_codes', 'SELECT, INSERT, UPDATE, DELETE');

ALTER TABLE sessions
    DROP CONSTRAINT sessions_second_factor_known,
    ADD CONSTRAINT sessions_second_factor_known CHECK (second_factor IN ('none', 'due', 'totp', 'recovery'));
