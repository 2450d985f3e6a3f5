-- What members do with their own accounts, and who has to agree to it.

-- A token of a grant names what its client proved itself by: a secret, or a registration of keys. With that it ends, and
-- those of the others live on.
ALTER TABLE tokens
    ADD COLUMN secret_id uuid,
    ADD COLUMN keys_id uuid,
    ADD CONSTRAINT tokens_proved_in_one_way CHECK (secret_id IS NULL OR keys_id IS NULL),
    ADD CONSTRAINT tokens_secret FOREIGN KEY (organization_id, secret_id) REFERENCES grant_secrets;
