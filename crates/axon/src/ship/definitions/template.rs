//! A template of Resource Manager read as far as a deployment reads it before it asks anybody: expressions with their brackets and
//! functions, parameters that are declared and used.

use std::collections::BTreeSet;

use serde_json::Value;

/// The functions of templates that ours use.
const FUNCTIONS: [&str; 11] = [
    "concat",
    "empty",
    "guid",
    "not",
    "parameters",
    "reference",
    "resourceGroup",
    "resourceId",
    "string",
    "subscriptionResourceId",
    "variables",
];

/// What a template names: its parameters that are used.
#[derive(Debug, Default)]
struct Used {
    parameters: BTreeSet<String>,
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn wrong<T>(&self, why: &str) -> Result<T, String> {
        Err(format!("{} at {} of {}", why, self.at, self.text))
    }

    fn skip(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn takes(&mut self, mark: char) -> bool {
        self.skip();
        let there = self.rest().starts_with(mark);
        if there {
            self.at += mark.len_utf8();
        }
        there
    }

    fn word(&mut self) -> String {
        self.skip();
        let word: String =
            self.rest().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        self.at += word.len();
        word
    }

    /// A text in single quotes; two of them are one in it.
    fn quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            let Some(end) = self.rest().find('\'') else { return self.wrong("a text has no end") };
            text.push_str(&self.rest()[..end]);
            self.at += end + 1;
            if !self.rest().starts_with('\'') {
                return Ok(text);
            }
            text.push('\'');
            self.at += 1;
        }
    }

    /// A text, a number, or a call with what is taken of its value. Gives the text.
    fn value(&mut self, used: &mut Used) -> Result<Option<String>, String> {
        if self.takes('\'') {
            return self.quoted().map(Some);
        }
        let function = self.word();
        if function.is_empty() {
            return self.wrong("neither text nor function");
        }
        if function.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(None);
        }
        if !FUNCTIONS.contains(&function.as_str()) {
            return self.wrong(&format!("no function {function}"));
        }
        if !self.takes('(') {
            return self.wrong("a function without (");
        }
        let mut given = Vec::new();
        while !self.takes(')') {
            if !given.is_empty() && !self.takes(',') {
                return self.wrong("neither , nor )");
            }
            given.push(self.value(used)?);
        }
        if function == "parameters" {
            let [Some(name)] = &given[..] else { return self.wrong("one name is asked for") };
            used.parameters.insert(name.clone());
        }
        while self.takes('.') {
            if self.word().is_empty() {
                return self.wrong("nothing after the point");
            }
        }
        Ok(None)
    }
}

fn expression(text: &str, used: &mut Used) -> Result<(), String> {
    let mut reader = Reader { text, at: 0 };
    reader.value(used)?;
    reader.skip();
    if reader.rest().is_empty() { Ok(()) } else { reader.wrong("something is left") }
}

fn walk(value: &Value, used: &mut Used) -> Result<(), String> {
    match value {
        // Two brackets are a text that begins with one.
        Value::String(text) if text.starts_with('[') && !text.starts_with("[[") => {
            let inner = text[1..].strip_suffix(']').ok_or(format!("no ] at the end of {text}"))?;
            expression(inner, used)
        }
        Value::Array(all) => all.iter().try_for_each(|one| walk(one, used)),
        Value::Object(all) => all.values().try_for_each(|one| walk(one, used)),
        _ => Ok(()),
    }
}

/// Reads a template; the error says what is wrong with it.
pub(super) fn read(template: &Value) -> Result<(), String> {
    let mut used = Used::default();
    walk(&template["parameters"], &mut used)?;
    walk(&template["resources"], &mut used)?;
    walk(&template["outputs"], &mut used)?;
    let parameters = template["parameters"].as_object().ok_or("no parameters")?;
    let declared: BTreeSet<String> = parameters.keys().cloned().collect();
    if let Some(missing) = used.parameters.difference(&declared).next() {
        return Err(format!("parameter {missing} is not declared"));
    }
    if let Some(idle) = declared.difference(&used.parameters).next() {
        return Err(format!("parameter {idle} is for nothing"));
    }
    for (name, parameter) in parameters {
        let fits = match (parameter["type"].as_str(), &parameter["defaultValue"]) {
            (_, Value::Null) => true,
            (Some("string"), value) => value.is_string(),
            (Some("int"), value) => value.is_i64(),
            (Some("array"), value) => value.is_array(),
            (Some("object"), value) => value.is_object(),
            _ => false,
        };
        let kind = parameter["type"].as_str().unwrap_or_default();
        if !fits || !["string", "int", "array", "object", "bool"].contains(&kind) {
            return Err(format!("parameter {name} is no {kind}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_template_is_told() {
        let with = |text: &str| json!({"parameters": {"a": {"type": "string"}}, "resources": [{"x": text}]});
        assert_eq!(read(&with("[concat(parameters('a'), '/it''s', resourceGroup().location)]")), Ok(()));
        for (text, why) in [
            ("[parameters('a')", "no ]"),
            ("[parameters('b')]", "parameter b is not declared"),
            ("plain", "parameter a is for nothing"),
            ("[concat(parameters('a')]", "neither , nor )"),
            ("[concat(parameters('a'), 'x)]", "has no end"),
            ("[concatt(parameters('a'))]", "no function concatt"),
            ("[parameters('a') parameters('a')]", "something is left"),
            ("[parameters('a').]", "nothing after the point"),
        ] {
            let told = read(&with(text)).unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
        }
        let typed = json!({"parameters": {"a": {"type": "int", "defaultValue": "x"}}, "resources": ["[parameters('a')]"]});
        assert_eq!(read(&typed).unwrap_err(), "parameter a is no int");
    }
}
