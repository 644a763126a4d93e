//! Signed tokens of issuers that are trusted.
