//! A schema as a file: the Schema resource of RFC 7643 section 7, read strictly, since a misread characteristic would
//! show only when a connector fails. Every refusal names the place in the text and, where a word is unknown, the
//! nearest known one.

mod places;

use std::fmt;
use std::sync::Arc;

use serde_json::value::RawValue;

use self::places::{Entry, Place};
use super::{Attribute, DataType, Mutability, Returned, Schema, Uniqueness};
use crate::error::quoted;
use crate::nearest::nearest;

/// Largest file, in bytes.
pub const MAX_SCHEMA_FILE: usize = 1024 * 1024;
/// Most attributes of one schema, parts counted.
const MAX_ATTRIBUTES: usize = 500;
/// Longest URN and longest name, in bytes.
const MAX_NAME: usize = 200;

/// Why a text is not a schema, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaFault {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The way to the value, such as `attributes[2].type`; empty for the whole.
    pub place: String,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for SchemaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for SchemaFault {}

impl Schema {
    /// Reads a Schema resource. Whether it fits beside the others, [`super::Registry::add_extension`] says.
    pub fn from_json(text: &str) -> Result<Self, SchemaFault> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.len() > MAX_SCHEMA_FILE {
            let reason = format!("the file has {} bytes, the limit is {MAX_SCHEMA_FILE}", text.len());
            return Err(SchemaFault { line: 1, column: 1, place: String::new(), reason });
        }
        let whole: &RawValue = serde_json::from_str(text).map_err(|error| SchemaFault {
            line: error.line().max(1),
            column: error.column().max(1),
            place: String::new(),
            reason: "the file is not JSON".to_owned(),
        })?;
        let mut reader = Reader { attributes: 0 };
        reader.schema(&Place::root(text, whole))
    }
}

struct Reader {
    attributes: usize,
}

impl Reader {
    fn schema(&mut self, at: &Place<'_>) -> Result<Schema, SchemaFault> {
        const KEYS: [&str; 6] = ["schemas", "id", "name", "description", "attributes", "meta"];
        let (mut id, mut name, mut description, mut attributes) = (None, None, None, None);
        for Entry { key, value } in at.object("a Schema resource is an object", &KEYS)? {
            match key {
                "id" => id = Some((value.text()?, value)),
                "name" => name = Some(value.text()?),
                "description" => description = Some(value.text()?),
                "attributes" => attributes = Some(self.attributes(&value, false)?),
                // What the resource says of itself tells nothing that its id does not.
                _ => {}
            }
        }
        let Some((id, id_at)) = id else { return Err(at.fault("the schema has no 'id': give its URN")) };
        check_urn(&id).map_err(|reason| id_at.fault(reason))?;
        let attributes = attributes.ok_or_else(|| at.fault("the schema has no 'attributes'"))?;
        if attributes.is_empty() {
            return Err(at.fault("the schema has no attribute: it would add nothing"));
        }
        let name = name.unwrap_or_else(|| id.rsplit(':').next().unwrap_or(&id).to_owned());
        Ok(Schema { id: Arc::from(id), name, description: description.unwrap_or_default(), attributes })
    }

    fn attributes(&mut self, at: &Place<'_>, nested: bool) -> Result<Vec<Arc<Attribute>>, SchemaFault> {
        let mut out: Vec<Arc<Attribute>> = Vec::new();
        for item in at.list("a list of attributes is expected")? {
            self.attributes += 1;
            if self.attributes > MAX_ATTRIBUTES {
                return Err(item.fault(format!("the schema has more than {MAX_ATTRIBUTES} attributes")));
            }
            let attribute = self.attribute(&item, nested)?;
            if out.iter().any(|a| a.name.eq_ignore_ascii_case(&attribute.name)) {
                return Err(item.fault(format!("attribute {} is given twice", quoted(&attribute.name))));
            }
            out.push(Arc::new(attribute));
        }
        Ok(out)
    }

    fn attribute(&mut self, at: &Place<'_>, nested: bool) -> Result<Attribute, SchemaFault> {
        const KEYS: [&str; 12] = [
            "name",
            "type",
            "description",
            "multiValued",
            "required",
            "caseExact",
            "mutability",
            "returned",
            "uniqueness",
            "canonicalValues",
            "referenceTypes",
            "subAttributes",
        ];
        let entries = at.object("an attribute is an object", &KEYS)?;
        let find = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
        let name_at = find("name").ok_or_else(|| at.fault("the attribute has no 'name'"))?;
        let name = name_at.text()?;
        check_name(&name).map_err(|reason| name_at.fault(reason))?;
        let data_type = match find("type") {
            // RFC 7643 section 2.2.
            None => DataType::String,
            Some(value) => value.word(&TYPES)?,
        };
        let mut out = Attribute::new(&name, data_type, "");
        for Entry { key, value } in &entries {
            match *key {
                "description" => out.description = value.text()?,
                "multiValued" => out.multi_valued = value.boolean()?,
                "required" => out.required = value.boolean()?,
                "caseExact" => out.case_exact = value.boolean()?,
                "mutability" => out.mutability = value.word(&MUTABILITIES)?,
                "returned" => out.returned = value.word(&RETURNED)?,
                "uniqueness" if value.word(&UNIQUENESS)? != Uniqueness::None => {
                    return Err(value.fault(
                        "only userName and, by a switch, the displayName of groups are kept unique; write \"none\"",
                    ));
                }
                "canonicalValues" => out.canonical_values = value.texts()?,
                "referenceTypes" => out.reference_types = value.texts()?,
                "subAttributes" => out.sub_attributes = self.attributes(value, true)?,
                _ => {}
            }
        }
        self::consistent(&out, nested).map_err(|(key, reason)| find(key).unwrap_or(at).fault(reason))?;
        Ok(out)
    }
}

/// What the rest of the crate relies on, with the key that is wrong.
fn consistent(attribute: &Attribute, nested: bool) -> Result<(), (&'static str, String)> {
    let name = quoted(&attribute.name);
    if nested && attribute.is_complex() {
        return Err((
            "type",
            format!("{name} is a part of a complex attribute and cannot be complex itself"),
        ));
    }
    if nested && attribute.multi_valued {
        return Err(("multiValued", format!("{name} is a part of a complex attribute and takes one value")));
    }
    if attribute.is_complex() && attribute.sub_attributes.is_empty() {
        return Err(("type", format!("{name} is complex and has no 'subAttributes'")));
    }
    if !attribute.is_complex() && !attribute.sub_attributes.is_empty() {
        return Err(("subAttributes", format!("{name} has 'subAttributes' and is not complex")));
    }
    let is_written_only = attribute.mutability == Mutability::WriteOnly;
    if is_written_only && attribute.returned != Returned::Never {
        return Err(("returned", format!("{name} is writeOnly, so it is returned \"never\"")));
    }
    if attribute.required && (is_written_only || attribute.mutability == Mutability::ReadOnly) {
        return Err(("required", format!("{name} is required, but never stored from a request")));
    }
    Ok(())
}

fn check_urn(urn: &str) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b":.-_".contains(&b);
    let shaped = urn.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("urn:"))
        && urn.split(':').count() >= 3
        && urn.split(':').all(|part| !part.is_empty());
    if !shaped || !urn.bytes().all(plain) {
        return Err(format!("{} is not a URN such as urn:example:params:scim:badge:2.0:User", quoted(urn)));
    }
    if urn.len() > MAX_NAME {
        return Err(format!("the URN has {} bytes, the limit is {MAX_NAME}", urn.len()));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), String> {
    if !super::registry::is_name(name) {
        return Err(format!(
            "{} is not an attribute name: a letter, then letters, digits, - and _",
            quoted(name)
        ));
    }
    if name.len() > MAX_NAME {
        return Err(format!("the name has {} bytes, the limit is {MAX_NAME}", name.len()));
    }
    Ok(())
}

const TYPES: [(&str, DataType); 8] = [
    ("string", DataType::String),
    ("boolean", DataType::Boolean),
    ("decimal", DataType::Decimal),
    ("integer", DataType::Integer),
    ("dateTime", DataType::DateTime),
    ("binary", DataType::Binary),
    ("reference", DataType::Reference),
    ("complex", DataType::Complex),
];
const MUTABILITIES: [(&str, Mutability); 4] = [
    ("readOnly", Mutability::ReadOnly),
    ("readWrite", Mutability::ReadWrite),
    ("immutable", Mutability::Immutable),
    ("writeOnly", Mutability::WriteOnly),
];
const RETURNED: [(&str, Returned); 4] = [
    ("always", Returned::Always),
    ("never", Returned::Never),
    ("default", Returned::Default),
    ("request", Returned::Request),
];
const UNIQUENESS: [(&str, Uniqueness); 3] =
    [("none", Uniqueness::None), ("server", Uniqueness::Server), ("global", Uniqueness::Global)];

impl Place<'_> {
    /// One of a few words, spelled as the RFC does.
    fn word<T: Copy>(&self, known: &[(&str, T)]) -> Result<T, SchemaFault> {
        let text = self.text()?;
        if let Some((_, found)) = known.iter().find(|(word, _)| *word == text) {
            return Ok(*found);
        }
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        let guess = nearest(&text, words.iter().copied())
            .map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
        Err(self.fault(format!("{} is not one of {}{guess}", quoted(&text), words.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::discovery;
    use crate::schema::{Registry, ResourceKind};

    const BADGE: &str = r#"{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
  "id": "urn:example:params:scim:badge:2.0:User",
  "name": "Badge",
  "attributes": [
    {"name": "level", "type": "integer", "description": "How far the badge opens doors."},
    {"name": "doors", "type": "complex", "multiValued": true, "subAttributes": [
      {"name": "value", "caseExact": true, "required": true},
      {"name": "until", "type": "dateTime"}
    ]}
  ]
}"#;

    #[test]
    fn a_schema_is_read_with_the_defaults_of_the_rfc() {
        let schema = Schema::from_json(BADGE).unwrap();
        assert_eq!((&*schema.id, schema.name.as_str()), ("urn:example:params:scim:badge:2.0:User", "Badge"));
        let level = schema.attribute("LEVEL").unwrap();
        assert_eq!((level.data_type, level.multi_valued, level.required), (DataType::Integer, false, false));
        let value = schema.attribute("doors").unwrap().sub("value").unwrap();
        assert!(value.case_exact && value.required && value.data_type == DataType::String);
    }

    #[test]
    fn what_schemas_shows_can_be_read_again() {
        let mut registry = Registry::standard();
        registry.add_extension(ResourceKind::User, Schema::from_json(BADGE).unwrap(), false).unwrap();
        let shown =
            discovery::schema(&registry, "https://x", "urn:example:params:scim:badge:2.0:User").unwrap();
        assert_eq!(Schema::from_json(&shown.to_string()).unwrap(), Schema::from_json(BADGE).unwrap());
        let enterprise = discovery::schema(&registry, "https://x", crate::ENTERPRISE_URN).unwrap();
        let read = Schema::from_json(&enterprise.to_string()).unwrap();
        assert_eq!(read, **registry.schema(crate::ENTERPRISE_URN).unwrap());
    }

    fn fault(text: &str) -> String {
        Schema::from_json(text).expect_err(text).to_string()
    }

    #[test]
    fn faults_name_their_place_and_the_nearest_word() {
        for (from, to, stands, said) in [
            (
                "\"integer\"",
                "\"integre\"",
                "\"integre\"",
                "attributes[0].type: 'integre' is not one of string, boolean, decimal, integer, dateTime, binary, \
                 reference, complex; did you mean \"integer\"?",
            ),
            (
                "\"multiValued\"",
                "\"multivalue\"",
                "true, \"sub",
                "attributes[1]: unknown key 'multivalue'; did you mean \"multiValued\"?",
            ),
            (
                "\"dateTime\"",
                "\"complex\"",
                "\"complex\"}",
                "attributes[1].subAttributes[1].type: 'until' is a part of a complex attribute and cannot be complex \
                 itself",
            ),
            (
                "\"id\": \"urn:example:params:scim:badge:2.0:User\"",
                "\"id\": \"badge\"",
                "\"badge\"",
                "id: 'badge' is not a URN such as urn:example:params:scim:badge:2.0:User",
            ),
            (
                "\"doors\"",
                "\"Level\"",
                "{\"name\": \"Level\"",
                "attributes[1]: attribute 'Level' is given twice",
            ),
            (
                "\"level\"",
                "\"1evel\"",
                "\"1evel\"",
                "attributes[0].name: '1evel' is not an attribute name: a letter, then letters, digits, - and _",
            ),
            (
                "true, \"required\"",
                "\"yes\", \"required\"",
                "\"yes\"",
                "attributes[1].subAttributes[0].caseExact: true or false is expected",
            ),
            ("\"name\": \"level\", ", "", "{\"type\"", "attributes[0]: the attribute has no 'name'"),
            ("}\n  ]", "},\n  ]", "]", "the file is not JSON"),
        ] {
            let text = BADGE.replacen(from, to, 1);
            let fault = Schema::from_json(&text).expect_err(to);
            let line = text.lines().nth(fault.line - 1).unwrap();
            assert!(line[fault.column - 1..].starts_with(stands), "{fault}\n{line}");
            assert_eq!(fault.to_string(), format!("{}:{}: {said}", fault.line, fault.column));
        }
        assert_eq!(fault("[]"), "1:1: a Schema resource is an object");
        assert_eq!(fault("{}"), "1:1: the schema has no 'id': give its URN");
    }

    #[test]
    fn what_could_not_be_kept_is_refused() {
        let of = |attribute: serde_json::Value| {
            fault(&json!({"id": "urn:x:y", "attributes": [attribute]}).to_string())
        };
        for (attribute, part) in [
            (json!({"name": "a", "uniqueness": "server"}), "kept unique"),
            (json!({"name": "a", "mutability": "writeOnly"}), "returned \"never\""),
            (json!({"name": "a", "mutability": "readOnly", "required": true}), "never stored"),
            (json!({"name": "a", "type": "complex"}), "has no 'subAttributes'"),
            (json!({"name": "a", "subAttributes": [{"name": "b"}]}), "is not complex"),
            (
                json!({"name": "a", "type": "complex", "subAttributes": [{"name": "b", "multiValued": true}]}),
                "one value",
            ),
            (json!({"name": 7}), "a text is expected"),
            (json!(7), "an attribute is an object"),
        ] {
            let said = of(attribute);
            assert!(said.contains(part), "{said}");
        }
        assert!(
            fault("{\"id\": \"urn:x:y\", \"id\": \"urn:x:z\", \"attributes\": []}")
                .contains("is given twice")
        );
        let many: Vec<_> = (0..=MAX_ATTRIBUTES).map(|n| json!({"name": format!("a{n}")})).collect();
        assert!(fault(&json!({"id": "urn:x:y", "attributes": many}).to_string()).contains("more than 500"));
        assert!(fault(&"[".repeat(100_000)).contains("not JSON"));
    }
}
