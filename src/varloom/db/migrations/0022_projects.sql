-- compatible from: 0004
-- Projects: samples that several accounts see. A sample stays its account's own; a project only shows it to its members.

CREATE TABLE projects (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    account_id uuid NOT NULL REFERENCES accounts,    -- who made it; what somebody may do in it says `project_members`
    name text NOT NULL CHECK (name <> ''),
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX projects_name_idx ON projects (account_id, lower(name));

CREATE TABLE project_members (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('owner', 'editor', 'viewer')),
    added_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, account_id)
);
CREATE INDEX project_members_account_idx ON project_members (account_id, project_id) INCLUDE (role);

-- `account_id` is the sample's: who is a member no more has no samples in the project either.
CREATE TABLE project_samples (
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    sample_id uuid NOT NULL REFERENCES samples ON DELETE CASCADE,
    account_id uuid NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, sample_id),
    FOREIGN KEY (project_id, account_id) REFERENCES project_members ON DELETE CASCADE
);
CREATE INDEX project_samples_sample_idx ON project_samples (sample_id, project_id);
CREATE INDEX project_samples_member_idx ON project_samples (project_id, account_id);
