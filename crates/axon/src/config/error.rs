//! What is wrong with a configuration, where, and what would mend it.

use std::path::{Path, PathBuf};

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or not readable.
    #[error("cannot read the configuration {} (--config FILE names another)", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is not what it should be.
    #[error("{}:{line}:{column}: {what}{quote}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
        /// What is wrong.
        what: String,
        /// The line, underlined.
        quote: String,
    },
    /// A schema file is not there or not readable.
    #[error("cannot read the schema file {}, which `extensions` names", path.display())]
    UnreadableSchema {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A schema file cannot be used.
    #[error("{}:{reason}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// Where in it, and what is wrong.
        reason: String,
    },
    /// A setting has a value that cannot work.
    #[error("{}: `{key}` {reason}", path.display())]
    Setting {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// An `AXON_…` variable names no place.
    #[error("the environment variable {variable}: {reason}")]
    Variable {
        /// The variable.
        variable: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The `AXON_…` variables make the configuration wrong.
    #[error("the file is right, but with the AXON_… environment variables laid over it: {reason}")]
    Environment {
        /// What is wrong then.
        reason: String,
    },
}

/// Says where in the text, and which key was probably meant.
pub fn from_yaml(path: &Path, text: &str, error: &serde_saphyr::Error) -> ConfigError {
    let plain = error.without_snippet();
    let (line, column) = plain.location().map_or((1, 1), |at| (at.line(), at.column()));
    let what = match plain {
        serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => {
            let near =
                nearest(field, expected).map_or_else(String::new, |k| format!("; did you mean `{k}`?"));
            format!("unknown key `{field}`{near} (known here: {})", expected.join(", "))
        }
        serde_saphyr::Error::SerdeUnknownVariant { variant, expected, .. } => {
            let near =
                nearest(variant, expected).map_or_else(String::new, |k| format!("; did you mean `{k}`?"));
            format!("`{variant}` is not one of {}{near}", expected.join(", "))
        }
        other => {
            let message = other.to_string();
            message.split(" at line ").next().unwrap_or_default().to_owned()
        }
    };
    let quote = usize::try_from(line).ok().and_then(|n| text.lines().nth(n.saturating_sub(1))).map_or_else(
        String::new,
        |quoted| {
            let indent = usize::try_from(column).unwrap_or(1).saturating_sub(1);
            format!("\n  {quoted}\n  {}^", " ".repeat(indent.min(200)))
        },
    );
    ConfigError::Text { path: path.to_owned(), line, column, what, quote }
}

/// The known key that is fewest edits away, if at most a third of it differs.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known.iter().map(|k| (distance(word, k), *k)).filter(|(d, k)| *d <= 1 + k.len() / 3).min().map(|(_, k)| k)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let next = (diagonal + usize::from(ca != *cb)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}
