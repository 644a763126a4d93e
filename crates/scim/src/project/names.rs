//! The names in `attributes` and `excludedAttributes`.

use crate::filter::Filter;
use crate::path::Path;
use crate::profile::Profile;
use crate::schema::{AttrPath, Named, Registry, ResourceKind};

/// What one name speaks of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    /// An attribute or a part of it, of all elements or of those that meet a condition.
    Attribute {
        /// Which.
        path: AttrPath,
        /// The filter in brackets.
        condition: Option<Filter>,
    },
    /// A whole extension.
    Extension(String),
    /// All of the base schema.
    Core,
}

impl Target {
    pub(super) fn condition(&self) -> Option<&Filter> {
        match self {
            Self::Attribute { condition, .. } => condition.as_ref(),
            Self::Extension(_) | Self::Core => None,
        }
    }
}

/// What the names between commas speak of; unknown ones and broken filters speak of nothing.
pub(super) fn targets(names: &str, registry: &Registry, kind: ResourceKind) -> Vec<Target> {
    split(names).filter_map(|name| target(name, registry, kind)).collect()
}

fn target(name: &str, registry: &Registry, kind: ResourceKind) -> Option<Target> {
    if name.contains('[') {
        return match Path::parse(name, registry, kind, &Profile::generic()).ok()? {
            Path::Elements { path, condition } => {
                Some(Target::Attribute { path, condition: Some(condition) })
            }
            Path::Attribute(_) | Path::Whole | Path::Extension(_) => None,
        };
    }
    match registry.resolve(kind, name).ok()? {
        Named::Attribute(path) => Some(Target::Attribute { path, condition: None }),
        Named::Extension(schema) => Some(Target::Extension(schema.id.to_string())),
        Named::Core(_) => Some(Target::Core),
    }
}

/// Names between commas; one inside brackets or quotes parts nothing.
fn split(names: &str) -> impl Iterator<Item = &str> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    names
        .split(move |c: char| {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' if depth > 0 => quoted = !quoted,
                '[' if !quoted => depth += 1,
                ']' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == ',' && depth == 0
        })
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_inside_brackets_and_quotes_part_nothing() {
        let of = |text| split(text).collect::<Vec<_>>();
        assert_eq!(of("a, b.c ,,d"), ["a", "b.c", "d"]);
        assert_eq!(of(r#"a[b eq "x],\",y"].c,d"#), [r#"a[b eq "x],\",y"].c"#, "d"]);
        assert_eq!(of("a[b,c"), ["a[b,c"]);
    }
}
