//! A SCIM service provider by itself: no pool behind it, and sources of the suite's own choice.

use std::fmt::Write as _;

use crate::place::Place;
use crate::scim::Scim;
use crate::serve::Serve;

/// A server that has people and groups pushed to it, and nobody to reconcile.
pub struct Provider {
    /// The server.
    pub serve: Serve,
    /// The folder: dropped last.
    pub place: Place,
}

impl Provider {
    /// Starts it with these sources, each a name and its settings: `("entra", "{ kind: entra }")`.
    pub async fn start(sources: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::start_with(sources, "").await
    }

    /// The same, with more lines of configuration.
    pub async fn start_with(sources: &[(&str, &str)], more: &str) -> anyhow::Result<Self> {
        Self::start_in(Place::new([""; 0])?, sources, more).await
    }

    /// The same in a folder that is made already.
    pub async fn start_in(place: Place, sources: &[(&str, &str)], more: &str) -> anyhow::Result<Self> {
        place.write("role-map.yaml", "axon: 1\n")?;
        place.write("axon.yaml", &configuration(sources, more))?;
        let serve = Serve::start(&place).await?;
        Ok(Self { serve, place })
    }

    /// A connector of a source, with a token of its own.
    pub async fn connector(&self, source: &str) -> anyhow::Result<Scim> {
        Ok(self.serve.scim(&self.place.token(source).await?))
    }
}

fn configuration(sources: &[(&str, &str)], more: &str) -> String {
    let mut text = String::from(
        "listen: 127.0.0.1:0\nstore: sqlite:axon.db\nrole_map: role-map.yaml\nlog: { format: json, level: info }\nsources:\n",
    );
    for (name, settings) in sources {
        let _ = writeln!(text, "  {name}: {settings}");
    }
    text + more
}
