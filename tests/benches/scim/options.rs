//! What a run of the bench is asked for: `cargo bench --bench scim -- --only reads,creates --seconds 2 --rounds 1`.

use std::time::Duration;

use anyhow::{Context, bail};

const PARTS: [&str; 6] = ["reads", "creates", "patches", "mixed", "sizes", "peers"];

/// What is asked for.
pub struct Options {
    only: Vec<String>,
    /// How long each load lasts.
    pub span: Duration,
    /// How often each load runs.
    pub rounds: usize,
}

impl Options {
    /// From the command line.
    pub fn of_arguments() -> anyhow::Result<Self> {
        let mut options = Self { only: Vec::new(), span: Duration::from_secs(3), rounds: 3 };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                // Cargo says so itself.
                "--bench" => {}
                "--only" => options.only = value()?.split(',').map(str::to_owned).collect(),
                "--seconds" => options.span = Duration::from_secs_f64(value()?.parse()?),
                "--rounds" => options.rounds = value()?.parse()?,
                other => bail!("unknown argument {other}; there are --only, --seconds, --rounds"),
            }
        }
        if let Some(unknown) = options.only.iter().find(|part| !PARTS.contains(&part.as_str())) {
            bail!("unknown part {unknown}; there are {}", PARTS.join(", "));
        }
        Ok(options)
    }

    /// Whether a part is to run.
    pub fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }
}
