//! Repository traits of the directory, the journal and the tokens, and their contract tests.
