//! `metadata` of a target: where views find what they must know of their readers.

use std::collections::BTreeSet;

use axon_model::SqlName;
use axon_reconcile::secure::{Delimiters, Metadata};

use crate::diagnostic::Fault;
use crate::guards::sql_name;
use crate::read::{Fields, Reader};
use crate::reserved::is_reserved;
use crate::yaml::{Node, Value};

/// Its keys.
pub(crate) const METADATA_KEYS: &[&str] =
    &["schema", "owner", "delimiters", "impersonation", "accept_groups"];
/// Keys of `delimiters`.
pub(crate) const DELIMITER_KEYS: &[&str] = &["hash", "hash_key", "array"];

/// The schema and the owner, where the map does not name them.
const SCHEMA: &str = "axon";
const OWNER: &str = "axon_owner";
/// The role of the pool whose members may read as others.
const IMPERSONATION: &str = "AXON_IMPERSONATION";

/// Reads it; what is not said has a default.
pub(super) fn read(reader: &Reader<'_>, node: Option<&Node>, what: &str) -> Option<Metadata> {
    let mut metadata = Metadata {
        schema: SqlName::parse(SCHEMA).ok()?,
        owner: SqlName::parse(OWNER).ok()?,
        delimiters: None,
        impersonation: SqlName::parse(IMPERSONATION).ok(),
        by_session: false,
    };
    let Some(node) = node else { return Some(metadata) };
    let fields = reader.fields(node, &format!("`metadata` of {what}"), METADATA_KEYS, &[])?;
    if let Some(node) = fields.get("schema") {
        metadata.schema = sql_name(reader, node, "`schema`")?;
        if matches!(metadata.schema.folded(), "dbo" | "sys" | "information_schema" | "guest") {
            let message = format!("{} is no schema of Axon's own", metadata.schema);
            reader.fault(Fault::Invalid, node.span, message);
        }
    }
    if let Some(node) = fields.get("owner") {
        metadata.owner = sql_name(reader, node, "`owner`")?;
        if is_reserved(metadata.owner) {
            let message =
                format!("{} cannot own the views: whoever may write where it owns reads all", metadata.owner);
            let help = "name a user without a login that owns nothing else";
            reader.fault_help(Fault::Invalid, node.span, message, help);
        }
    }
    if let Some(node) = fields.get("impersonation") {
        let name = sql_name(reader, node, "`impersonation`")?;
        if is_reserved(name) {
            let message = format!("{name} is no role of Axon's own");
            reader.fault(Fault::Invalid, node.span, message);
        }
        metadata.impersonation = Some(name);
    }
    if let Some(node) = fields.get("delimiters") {
        let fields = reader.fields(node, "`delimiters`", DELIMITER_KEYS, &[])?;
        metadata.delimiters = delimiters(reader, node, &fields);
    }
    Some(metadata)
}

/// Groups of the target that may reach tables past their views. What else `metadata` says wrong is told elsewhere.
pub(super) fn accept_groups(reader: &Reader<'_>, node: Option<&Node>) -> BTreeSet<SqlName> {
    let entries = match node.map(|node| &node.value) {
        Some(Value::Map(entries)) => entries.as_slice(),
        _ => &[],
    };
    let Some((_, node)) = entries.iter().find(|(key, _)| key.text == "accept_groups") else {
        return BTreeSet::new();
    };
    let what = "`accept_groups`";
    reader.list(node, what).iter().filter_map(|node| sql_name(reader, node, what)).collect()
}

fn delimiters(reader: &Reader<'_>, node: &Node, fields: &Fields<'_>) -> Option<Delimiters> {
    let one = |key: &str| {
        let text = reader.text(fields.need(reader, key)?, &format!("`{key}`"))?;
        let mut chars = text.text.chars();
        // Anything but one character is none that `Delimiters` takes.
        Some(chars.next().filter(|_| chars.next().is_none()).unwrap_or(' '))
    };
    let (hash, hash_key, array) = (one("hash"), one("hash_key"), one("array"));
    let found = Delimiters::new(hash?, hash_key?, array?);
    if found.is_none() {
        let message = "the delimiters must be three different marks, each one character";
        reader.fault_help(Fault::Invalid, node.span, message, "like | and : and ,");
    }
    found
}
