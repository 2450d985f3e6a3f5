-- What ends with what.

-- The personal token that a personal token was made with. It ends with that one, since whoever held the one may hold the
-- other. Not a foreign key: what has expired is removed, and what it made expired no later.
ALTER TABLE tokens ADD COLUMN made_with_id uuid;
CREATE INDEX tokens_made_with ON tokens (organization_id, made_with_id) WHERE made_with_id IS NOT NULL;

-- Whether members may let in apps that no admin registered, where the operator switched these on.
ALTER TABLE organizations ADD COLUMN outside_apps boolean NOT NULL DEFAULT true;
