//! The JSON Schema is what the readers make of it, and lets every good map through and few bad ones.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::PathBuf;

use serde_json::Value;

fn folder(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../")).join(path)
}

/// The part of JSON Schema that the generated one uses. The first thing that does not fit, with its path.
fn validate(schema: &Value, root: &Value, value: &Value, path: &str) -> Result<(), String> {
    let fail = |what: &str| Err(format!("{path}: {what}"));
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(name.strip_prefix('#').unwrap()).unwrap();
        return validate(target, root, value, path);
    }
    if let Some(options) = schema.get("oneOf").and_then(Value::as_array) {
        let mut told = Vec::new();
        for option in options {
            match validate(option, root, value, path) {
                Ok(()) => return Ok(()),
                Err(e) => told.push(e),
            }
        }
        return fail(&told.join(" / "));
    }
    if let Some(wanted) = schema.get("const")
        && wanted != value
    {
        return fail(&format!("not {wanted}"));
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        return fail("not one of the words");
    }
    if let Some(types) = schema.get("type") {
        let is = |name: &str| match name {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            other => panic!("type {other}"),
        };
        let fits = match types {
            Value::String(name) => is(name),
            Value::Array(names) => names.iter().any(|name| is(name.as_str().unwrap())),
            other => panic!("{other}"),
        };
        if !fits {
            return fail(&format!("not of type {types}"));
        }
    }
    if let (Some(pattern), Some(text)) = (schema.get("pattern").and_then(Value::as_str), value.as_str())
        && !regex::Regex::new(pattern).unwrap().is_match(text)
    {
        return fail("does not fit the pattern");
    }
    if let (Some(least), Some(text)) = (schema.get("minLength").and_then(Value::as_u64), value.as_str())
        && (text.chars().count() as u64) < least
    {
        return fail("too short");
    }
    if let Some(items) = value.as_array() {
        if schema.get("minItems").and_then(Value::as_u64).is_some_and(|least| (items.len() as u64) < least) {
            return fail("too few");
        }
        if let Some(of) = schema.get("items") {
            for (n, item) in items.iter().enumerate() {
                validate(of, root, item, &format!("{path}[{n}]"))?;
            }
        }
    }
    if let Some(object) = value.as_object() {
        for key in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if !object.contains_key(key.as_str().unwrap()) {
                return fail(&format!("needs {key}"));
            }
        }
        let known = schema.get("properties").and_then(Value::as_object);
        for (key, inner) in object {
            let path = format!("{path}.{key}");
            if let Some(of) = known.and_then(|k| k.get(key)) {
                validate(of, root, inner, &path)?;
            } else {
                match schema.get("additionalProperties") {
                    Some(Value::Bool(false)) => return Err(format!("{path}: no such key")),
                    Some(of @ Value::Object(_)) => validate(of, root, inner, &path)?,
                    _ => {}
                }
            }
        }
    }
    Ok(())
}

fn as_json(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap()
}

#[test]
fn the_schema_in_config_is_the_generated_one() {
    let path = folder("config/role-map.schema.json");
    let mut text = serde_json::to_string_pretty(&axon_mapping::schema::json_schema()).unwrap();
    text.push('\n');
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(kept == text, "run the tests of axon-mapping with UPDATE_SCHEMA=1 and look at what changed");
}

#[test]
fn every_map_that_is_good_fits_the_schema() {
    let schema = axon_mapping::schema::json_schema();
    let mut maps: Vec<String> = ["language", "built"]
        .iter()
        .map(|name| {
            let path = folder(&format!("crates/mapping/tests/fixtures/{name}.yaml"));
            std::fs::read_to_string(path).unwrap()
        })
        .collect();
    for entry in std::fs::read_dir(folder("config")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let yaml = path.extension().is_some_and(|extension| extension == "yaml");
        if name.starts_with("role-map") && yaml {
            maps.push(std::fs::read_to_string(&path).unwrap());
        }
    }
    assert!(maps.len() >= 3);
    for text in maps {
        validate(&schema, &schema, &as_json(&text), "map").unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn what_an_editor_should_underline_does_not_fit() {
    let schema = axon_mapping::schema::json_schema();
    for bad in [
        "axon: 2",
        "axon: 1\nrolse: {}",
        "axon: 1\ntargets: { w: { kind: synapse-dedicated, host: h, database: d } }",
        "axon: 1\ntargets: { w: { kind: azure-rbac, host: h, auth: managed-identity } }",
        "axon: 1\nmappings: [{ groups: { any: [g] }, source: s }]",
        "axon: 1\nmappings: [{ groups: { any: [g] }, source: s, roles: [r], until: 2027-06-30 }]",
        "axon: 1\nrules: { separate: [[a]] }",
        "axon: 1\nguards: { removals: { window: 24, most: 5% } }",
        "axon: 1\nviews: { a.b: { targets: t, from: c.d, columns: { x: shown } } }",
        "axon: 1\ntests: [{ user: { groups: [g] } }]",
    ] {
        assert!(validate(&schema, &schema, &as_json(bad), "map").is_err(), "{bad}");
    }
}
