//! `AXON_SECTION__KEY` over the file's keys.

use serde_json::Value;

/// Variables of ours that are not settings.
const NOT_SETTINGS: &[&str] = &["AXON_CONFIG", "AXON_BIN", "AXON_URL", "AXON_OPERATOR_TOKEN"];

/// The settings among the environment's variables: the variable, its keys from the root, its text.
pub fn overrides(environment: &[(String, String)]) -> Vec<(String, Vec<String>, &str)> {
    environment
        .iter()
        .filter(|(name, _)| !NOT_SETTINGS.contains(&name.as_str()) && !name.starts_with("AXON_TEST_"))
        .filter_map(|(name, value)| {
            let keys = name.strip_prefix("AXON_")?.split("__").map(str::to_lowercase).collect();
            Some((name.clone(), keys, value.as_str()))
        })
        .collect()
}

/// Puts a value where the keys lead. Numbers and truth values are taken as such.
pub fn lay_over(tree: &mut Value, keys: &[String], text: &str) -> Result<(), String> {
    let Some((last, path)) = keys.split_last() else { return Err("names no key".into()) };
    let mut node = tree;
    for key in path {
        let map = node.as_object_mut().ok_or_else(|| format!("{key:?} is not under a section"))?;
        node = map.entry(key.clone()).or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    let value = serde_json::from_str(text)
        .ok()
        .filter(|v: &Value| v.is_number() || v.is_boolean())
        .unwrap_or_else(|| Value::String(text.to_owned()));
    node.as_object_mut().ok_or_else(|| format!("{last:?} is not in a section"))?.insert(last.clone(), value);
    Ok(())
}
