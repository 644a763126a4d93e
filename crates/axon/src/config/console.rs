//! Pages for operators.

use axon_console::Lives;
use serde::{Deserialize, Serialize};
use time::Duration;

use super::Config;

/// The longest that anybody stays signed in: a day's work.
const LONGEST: u32 = 8 * 60 * 60;

/// The console.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Console {
    /// Whether there is one.
    pub enabled: bool,
    /// A session that asks for nothing so long is over, seconds.
    pub idle_seconds: u32,
    /// A session is over after so long whatever it does, seconds.
    pub longest_seconds: u32,
}

impl Default for Console {
    fn default() -> Self {
        Self { enabled: false, idle_seconds: 1_800, longest_seconds: LONGEST }
    }
}

impl Console {
    /// How long sessions live.
    pub fn lives(&self) -> Lives {
        Lives {
            idle: Duration::seconds(self.idle_seconds.into()),
            longest: Duration::seconds(self.longest_seconds.into()),
        }
    }
}

impl Config {
    /// What is wrong with the section: a key and a reason.
    pub fn check_console(&self) -> Result<(), (&'static str, String)> {
        let Console { enabled, idle_seconds, longest_seconds } = self.console;
        if !(1..=LONGEST).contains(&longest_seconds) {
            let text = format!("is {longest_seconds}: it may be 1 to {LONGEST}");
            return Err(("console.longest_seconds", text));
        }
        if !(1..=longest_seconds).contains(&idle_seconds) {
            let text =
                format!("is {idle_seconds}: it may be 1 to longest_seconds, which is {longest_seconds}");
            return Err(("console.idle_seconds", text));
        }
        let in_clear = self.tls.is_none() && self.trusted_proxies.is_empty();
        if enabled && in_clear && !self.listen.ip().is_loopback() {
            let text = "would have people show their tokens in clear: set `tls`, or listen on loopback behind a proxy and set \
                        `trusted_proxies`";
            return Err(("console.enabled", text.to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn of(text: &str) -> Config {
        let least = "role_map: m\nsources:\n  entra: { kind: entra }\n";
        Config::parse(Path::new("axon.yaml"), &format!("{least}{text}"), &[]).unwrap()
    }

    #[test]
    fn there_is_none_unless_it_is_asked_for_and_never_in_clear_over_a_network() {
        assert!(!of("").console.enabled);
        for good in [
            "",
            "listen: 0.0.0.0:80\n",
            "console: { enabled: true }\n",
            "console: { enabled: true, idle_seconds: 60, longest_seconds: 60 }\n",
            "console: { enabled: true }\nlisten: 0.0.0.0:8443\ntls: { certificate: a, key: b }\n",
            "console: { enabled: true }\nlisten: 0.0.0.0:80\ntrusted_proxies: [10.0.0.1]\n",
        ] {
            assert_eq!(of(good).check_console(), Ok(()), "{good}");
        }
        for (bad, key) in [
            ("console: { enabled: true }\nlisten: 0.0.0.0:80\n", "console.enabled"),
            ("console: { longest_seconds: 28801 }\n", "console.longest_seconds"),
            ("console: { longest_seconds: 0, idle_seconds: 0 }\n", "console.longest_seconds"),
            ("console: { idle_seconds: 0 }\n", "console.idle_seconds"),
            ("console: { idle_seconds: 61, longest_seconds: 60 }\n", "console.idle_seconds"),
        ] {
            assert_eq!(of(bad).check_console().unwrap_err().0, key, "{bad}");
        }
    }
}
