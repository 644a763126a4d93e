//! What a write names of the attributes that are returned on request: writing one is a request for it (RFC 7643 section 7,
//! `returned`). Parts of complex attributes are shown where `attributes` names them.

use super::{Choice, Projection};
use crate::patch::{Op, PatchRequest};
use crate::path::Path;
use crate::resource::Resource;
use crate::schema::{AttrPath, Registry, Returned};

impl Projection {
    /// The same for the answer to a write of these attributes. Where the client names what it wants, that alone counts.
    #[must_use]
    pub fn with_written(mut self, written: Vec<AttrPath>) -> Self {
        if !matches!(self.choice, Choice::Only(_)) {
            self.written = written;
        }
        self
    }

    pub(super) fn has_written(&self, extension: Option<&str>, name: &str) -> bool {
        self.written.iter().any(|path| path.extension.as_deref() == extension && path.attribute.name == name)
    }
}

impl Resource {
    /// What this body says of the attributes that are returned on request. No core attribute is.
    pub fn written_on_request(&self, registry: &Registry) -> Vec<AttrPath> {
        let mut written = Vec::new();
        for schema in registry.extensions(self.kind()) {
            for name in self.extension(&schema.id).into_iter().flat_map(serde_json::Map::keys) {
                if let Some(attribute) = schema.attribute(name).filter(|a| a.returned == Returned::Request) {
                    let (extension, attribute) = (Some(schema.id.clone()), attribute.clone());
                    written.push(AttrPath { extension, attribute, sub: None });
                }
            }
        }
        written
    }
}

impl PatchRequest {
    /// What its operations name of the attributes that are returned on request.
    pub fn written_on_request(&self) -> Vec<AttrPath> {
        let named = self.ops.iter().filter_map(|op| match op {
            Op::Attribute(op) => match op.path() {
                Path::Attribute(path) | Path::Elements { path, .. } => Some(path),
                Path::Whole | Path::Extension(_) => None,
            },
            _ => None,
        });
        named.filter(|path| path.attribute.returned == Returned::Request).cloned().collect()
    }
}
