//! Values of a JSON text that know where they stand: slices of the text, whose offset in it is their place.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::SchemaFault;
use crate::error::quoted;
use crate::nearest::nearest;

/// A value and the way to it.
pub(super) struct Place<'a> {
    text: &'a str,
    value: &'a RawValue,
    way: String,
}

/// One key of an object.
pub(super) struct Entry<'a> {
    /// One of the keys that were asked for.
    pub key: &'static str,
    /// Its value.
    pub value: Place<'a>,
}

impl<'a> Place<'a> {
    /// The whole text.
    pub(super) fn root(text: &'a str, value: &'a RawValue) -> Self {
        Self { text, value, way: String::new() }
    }

    /// What is wrong with this value.
    pub(super) fn fault(&self, reason: impl Into<String>) -> SchemaFault {
        self.fault_at(self.value.get(), reason)
    }

    fn fault_at(&self, slice: &str, reason: impl Into<String>) -> SchemaFault {
        let offset = slice.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        let before = self.text.get(..offset).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        SchemaFault { line, column, place: self.way.clone(), reason: reason.into() }
    }

    /// The keys of an object, each known and given once. Null is as good as absent.
    pub(super) fn object(
        &self,
        expected: &str,
        known: &[&'static str],
    ) -> Result<Vec<Entry<'a>>, SchemaFault> {
        let pairs: Pairs<'a> = self.read(expected)?;
        let mut out: Vec<Entry<'a>> = Vec::with_capacity(pairs.0.len());
        for (written, value) in pairs.0 {
            let Some(key) = known.iter().find(|key| **key == written).copied() else {
                let guess = nearest(&written, known.iter().copied())
                    .map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
                return Err(self.fault_at(value.get(), format!("unknown key {}{guess}", quoted(&written))));
            };
            if out.iter().any(|entry| entry.key == key) {
                return Err(self.fault_at(value.get(), format!("{key} is given twice")));
            }
            if value.get() != "null" {
                let dot = if self.way.is_empty() { "" } else { "." };
                let way = format!("{}{dot}{key}", self.way);
                out.push(Entry { key, value: Place { text: self.text, value, way } });
            }
        }
        Ok(out)
    }

    /// The elements of a list.
    pub(super) fn list(&self, expected: &str) -> Result<Vec<Place<'a>>, SchemaFault> {
        let items: Vec<&'a RawValue> =
            serde_json::from_str(self.value.get()).map_err(|_| self.fault(expected))?;
        let of = |(place, value)| Place { text: self.text, value, way: format!("{}[{place}]", self.way) };
        Ok(items.into_iter().enumerate().map(of).collect())
    }

    /// A text.
    pub(super) fn text(&self) -> Result<String, SchemaFault> {
        serde_json::from_str(self.value.get()).map_err(|_| self.fault("a text is expected"))
    }

    /// True or false.
    pub(super) fn boolean(&self) -> Result<bool, SchemaFault> {
        serde_json::from_str(self.value.get()).map_err(|_| self.fault("true or false is expected"))
    }

    /// A list of texts.
    pub(super) fn texts(&self) -> Result<Vec<String>, SchemaFault> {
        self.list("a list of texts is expected")?.iter().map(Place::text).collect()
    }

    fn read<T: serde::Deserialize<'a>>(&self, expected: &str) -> Result<T, SchemaFault> {
        serde_json::from_str(self.value.get()).map_err(|_| self.fault(expected))
    }
}

/// The keys of an object in the order of the text, repeated ones too.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        from.deserialize_map(Reader)
    }
}
