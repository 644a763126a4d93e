//! One attribute and its characteristics (RFC 7643 section 2.2), with a small builder.

use std::sync::Arc;

/// The type of a value (RFC 7643 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataType {
    /// Text.
    String,
    /// True or false.
    Boolean,
    /// A number.
    Decimal,
    /// A whole number.
    Integer,
    /// XML Schema dateTime.
    DateTime,
    /// Base64 text.
    Binary,
    /// A URI.
    Reference,
    /// An object with sub-attributes.
    Complex,
}

impl DataType {
    /// The word in `/Schemas`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Decimal => "decimal",
            Self::Integer => "integer",
            Self::DateTime => "dateTime",
            Self::Binary => "binary",
            Self::Reference => "reference",
            Self::Complex => "complex",
        }
    }
}

/// Who may write an attribute, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutability {
    /// The server alone.
    ReadOnly,
    /// Anyone, any time.
    ReadWrite,
    /// The client, once.
    Immutable,
    /// The client; it is never read back.
    WriteOnly,
}

impl Mutability {
    /// The word in `/Schemas`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "readOnly",
            Self::ReadWrite => "readWrite",
            Self::Immutable => "immutable",
            Self::WriteOnly => "writeOnly",
        }
    }
}

/// When an attribute is in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Returned {
    /// In every answer.
    Always,
    /// In none.
    Never,
    /// Unless it is excluded.
    Default,
    /// When it is asked for.
    Request,
}

impl Returned {
    /// The word in `/Schemas`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
            Self::Default => "default",
            Self::Request => "request",
        }
    }
}

/// Where a value is unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Uniqueness {
    /// Nowhere.
    None,
    /// Inside one source.
    Server,
    /// In the world.
    Global,
}

impl Uniqueness {
    /// The word in `/Schemas`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Server => "server",
            Self::Global => "global",
        }
    }
}

/// One attribute. Unstated characteristics have the defaults of RFC 7643 section 2.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The name, in schema spelling.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// The type of a value.
    pub data_type: DataType,
    /// Is it a list?
    pub multi_valued: bool,
    /// Must it have a value?
    pub required: bool,
    /// Does case count when values are compared?
    pub case_exact: bool,
    /// Who may write it.
    pub mutability: Mutability,
    /// When it is in an answer.
    pub returned: Returned,
    /// Where its value is unique.
    pub uniqueness: Uniqueness,
    /// Suggested values; others are accepted.
    pub canonical_values: Vec<String>,
    /// What a reference may point to.
    pub reference_types: Vec<String>,
    /// The parts of a complex attribute; none of them is complex.
    pub sub_attributes: Vec<Arc<Attribute>>,
}

impl Attribute {
    /// An attribute of a type, with the defaults of the RFC. References and binaries compare exactly
    /// (errata 6001 and RFC 7643 section 2.3.6).
    pub fn new(name: &str, data_type: DataType, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: description.to_owned(),
            data_type,
            multi_valued: false,
            required: false,
            case_exact: matches!(data_type, DataType::Reference | DataType::Binary),
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            canonical_values: Vec::new(),
            reference_types: Vec::new(),
            sub_attributes: Vec::new(),
        }
    }

    /// A text attribute.
    pub fn string(name: &str, description: &str) -> Self {
        Self::new(name, DataType::String, description)
    }

    /// A complex attribute.
    pub fn complex(name: &str, description: &str, parts: impl IntoIterator<Item = Attribute>) -> Self {
        let mut out = Self::new(name, DataType::Complex, description);
        out.sub_attributes = parts.into_iter().map(Arc::new).collect();
        out
    }

    /// Makes it a list.
    #[must_use]
    pub fn multi(mut self) -> Self {
        self.multi_valued = true;
        self
    }

    /// Makes it required.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Makes case count.
    #[must_use]
    pub fn exact(mut self) -> Self {
        self.case_exact = true;
        self
    }

    /// Sets who may write it.
    #[must_use]
    pub fn mutability(mut self, mutability: Mutability) -> Self {
        self.mutability = mutability;
        self
    }

    /// Sets when it is in an answer.
    #[must_use]
    pub fn returned(mut self, returned: Returned) -> Self {
        self.returned = returned;
        self
    }

    /// Makes it unique inside one source.
    #[must_use]
    pub fn unique(mut self) -> Self {
        self.uniqueness = Uniqueness::Server;
        self
    }

    /// Sets the suggested values.
    #[must_use]
    pub fn canonical(mut self, values: &[&str]) -> Self {
        self.canonical_values = values.iter().map(|&v| v.to_owned()).collect();
        self
    }

    /// Sets what the reference may point to.
    #[must_use]
    pub fn refers_to(mut self, kinds: &[&str]) -> Self {
        self.reference_types = kinds.iter().map(|&v| v.to_owned()).collect();
        self
    }

    /// The part of a name, whatever its case.
    pub fn sub(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.sub_attributes.iter().find(|a| a.name.eq_ignore_ascii_case(name))
    }

    /// Is it an object?
    pub fn is_complex(&self) -> bool {
        self.data_type == DataType::Complex
    }

    /// Is its value a JSON string?
    pub fn is_text(&self) -> bool {
        matches!(
            self.data_type,
            DataType::String | DataType::Reference | DataType::Binary | DataType::DateTime
        )
    }
}
