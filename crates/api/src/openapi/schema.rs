//! Schemas in few words.

use utoipa::openapi::schema::{
    AdditionalProperties, AnyOf, Array, ArrayBuilder, Object, ObjectBuilder, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{KnownFormat, Ref, RefOr, Schema};

/// A schema, or a name for one.
pub type Part = RefOr<Schema>;

/// A text.
pub fn text() -> Part {
    ObjectBuilder::new().schema_type(Type::String).into()
}

/// A text of so many characters.
pub fn bounded(least: usize, most: usize) -> Part {
    ObjectBuilder::new().schema_type(Type::String).min_length(Some(least)).max_length(Some(most)).into()
}

/// A text that a pattern describes.
pub fn pattern(pattern: &str, most: usize) -> Part {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).max_length(Some(most)).into()
}

/// A text that must be sent and is never answered.
pub fn secret() -> Part {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
        .min_length(Some(1))
        .max_length(Some(16 * 1024))
        .write_only(Some(true))
        .into()
}

/// An instant (RFC 3339).
pub fn instant() -> Part {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .into()
}

/// One of these words.
pub fn word(words: &[&str]) -> Part {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied())).into()
}

/// A whole number.
pub fn whole(least: u64, most: Option<u64>) -> Part {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(number(least)))
        .maximum(most.map(number))
        .into()
}

/// True or false.
pub fn flag() -> Part {
    ObjectBuilder::new().schema_type(Type::Boolean).into()
}

/// Null.
fn null() -> Part {
    ObjectBuilder::new().schema_type(Type::Null).into()
}

/// Anything.
pub fn anything() -> Part {
    Object::with_type(SchemaType::AnyValue).into()
}

/// An object of which no more is said.
pub fn some_object() -> Part {
    ObjectBuilder::new().schema_type(Type::Object).into()
}

/// A list.
pub fn list(items: Part) -> Part {
    let array: Array = ArrayBuilder::new().items(items).build();
    Schema::Array(array).into()
}

/// A list of so many.
pub fn some_of(least: usize, most: usize, items: Part) -> Part {
    let array = ArrayBuilder::new().items(items).min_items(Some(least)).max_items(Some(most)).build();
    Schema::Array(array).into()
}

/// This, or null.
pub fn or_null(part: Part) -> Part {
    either([part, null()])
}

/// One of these.
pub fn either(parts: impl IntoIterator<Item = Part>) -> Part {
    let mut any = AnyOf::new();
    any.items.extend(parts);
    Schema::AnyOf(any).into()
}

/// The schema of this name.
pub fn the(name: &str) -> Part {
    Ref::from_schema_name(name).into()
}

/// An object.
pub struct Members(ObjectBuilder);

/// An object to which answers may add members.
pub fn object() -> Members {
    Members(ObjectBuilder::new().schema_type(Type::Object))
}

/// An object that has no other members: a request with another one is refused.
pub fn closed() -> Members {
    let no_other = AdditionalProperties::FreeForm(false);
    Members(ObjectBuilder::new().schema_type(Type::Object).additional_properties(Some(no_other)))
}

impl Members {
    /// A member that is always there.
    pub fn has(self, name: &str, part: Part) -> Self {
        Self(self.0.property(name, part).required(name))
    }

    /// A member that may be left out.
    pub fn may(self, name: &str, part: Part) -> Self {
        Self(self.0.property(name, part))
    }

    /// What it is.
    pub fn told(self, text: &str) -> Self {
        Self(self.0.description(Some(text)))
    }

    /// The schema.
    pub fn part(self) -> Part {
        self.0.into()
    }
}
