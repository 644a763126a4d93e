//! A token that a command prints.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axon_model::Clock;
use axon_reconcile::TokenSource;
use axon_reconcile::target::TokenError;
use secrecy::{ExposeSecret as _, SecretString};
use time::OffsetDateTime;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Mutex;

use super::{MOST_BYTES, jwt, token_in};

/// How long before its expiry a token is no longer used.
const MARGIN: time::Duration = time::Duration::minutes(2);

/// A command, run without a shell, that prints one token on its standard output. Its token is kept until two minutes before
/// it expires; one that does not say when is not kept. What it prints on standard error is not read.
pub struct TokenCommand {
    program: String,
    arguments: Vec<String>,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    kept: Mutex<Option<(SecretString, OffsetDateTime)>>,
}

impl std::fmt::Debug for TokenCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Arguments may hold secrets.
        f.debug_struct("TokenCommand").field("program", &self.program).finish_non_exhaustive()
    }
}

impl TokenCommand {
    /// The command `argv`, which may take `timeout` to print; `None` if `argv` is empty.
    pub fn new(argv: Vec<String>, timeout: Duration, clock: Arc<dyn Clock>) -> Option<Self> {
        let mut argv = argv.into_iter();
        let program = argv.next().filter(|program| !program.is_empty())?;
        Some(Self { program, arguments: argv.collect(), timeout, clock, kept: Mutex::new(None) })
    }

    async fn run(&self) -> Result<SecretString, TokenError> {
        let from = format!("the token command {}", self.program);
        let failed = |e: std::io::Error| TokenError(format!("{from}: {e}"));
        let mut child = tokio::process::Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let stdout = child.stdout.take();
        let talk = async {
            let mut bytes = Vec::with_capacity(8 * 1024);
            if let Some(stdout) = stdout {
                let most = u64::try_from(MOST_BYTES + 16).unwrap_or(u64::MAX);
                stdout.take(most).read_to_end(&mut bytes).await.map_err(failed)?;
            }
            // Its output is closed here: one that still writes is ended by that, not waited for without end.
            let status = child.wait().await.map_err(failed)?;
            Ok::<_, TokenError>((status, bytes))
        };
        let (status, bytes) = tokio::time::timeout(self.timeout, talk).await.unwrap_or_else(|_| {
            Err(TokenError(format!("{from} did not end within {} s", self.timeout.as_secs_f32())))
        })?;
        if bytes.len() <= MOST_BYTES && !status.success() {
            return Err(TokenError(format!("{from} ended with {status}")));
        }
        token_in(bytes, &from)
    }
}

#[async_trait]
impl TokenSource for TokenCommand {
    async fn token(&self) -> Result<SecretString, TokenError> {
        let mut kept = self.kept.lock().await;
        if let Some((token, expiry)) = kept.as_ref()
            && self.clock.now() < *expiry - MARGIN
        {
            return Ok(token.clone());
        }
        *kept = None;
        let token = self.run().await?;
        if let Some(expiry) = jwt::expiry(token.expose_secret()) {
            if expiry <= self.clock.now() {
                return Err(TokenError(format!(
                    "the token command {} gave a token that expired at {expiry}",
                    self.program
                )));
            }
            *kept = Some((token.clone(), expiry));
        }
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use axon_model::ManualClock;

    use super::*;

    fn at(seconds: i64) -> Arc<ManualClock> {
        Arc::new(ManualClock::at(OffsetDateTime::from_unix_timestamp(seconds).unwrap()))
    }

    fn shell(script: &str, clock: Arc<ManualClock>) -> TokenCommand {
        let argv = ["/bin/sh", "-c", script].map(String::from).to_vec();
        TokenCommand::new(argv, Duration::from_secs(10), clock).unwrap()
    }

    /// Prints another token each time, by counting in a file.
    fn counting(name: &str, clock: Arc<ManualClock>) -> (TokenCommand, std::path::PathBuf) {
        let path = std::env::temp_dir().join(format!("axon-synapse-count-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let script = format!(
            "echo x >> {0}; printf 'eyJhbGciOiJub25lIn0.eyJleHAiOjE3OTAwMDAwMDAsInVwbiI6ImtpbUBhY21lLmNvbSJ9.%s' $(wc -l < {0})",
            path.display()
        );
        (shell(&script, clock), path)
    }

    #[tokio::test]
    async fn a_token_is_kept_until_two_minutes_before_its_expiry() {
        let clock = at(1_789_999_000);
        let (source, path) = counting("kept", clock.clone());
        let first = source.token().await.unwrap();
        clock.advance(time::Duration::seconds(879));
        assert_eq!(source.token().await.unwrap().expose_secret(), first.expose_secret());
        clock.advance(time::Duration::seconds(1));
        assert_ne!(source.token().await.unwrap().expose_secret(), first.expose_secret());
        clock.advance(time::Duration::hours(1));
        let error = source.token().await.unwrap_err().to_string();
        assert!(error.contains("expired at"), "{error}");
        std::fs::remove_file(path).unwrap();
    }

    #[tokio::test]
    async fn errors_name_the_command_and_not_what_it_said() {
        let clock = at(0);
        for (script, want) in [
            ("echo s3cret; exit 3", "the token command /bin/sh ended with exit status: 3"),
            ("true", "the token command /bin/sh gave nothing"),
            ("echo s3cret and more", "the token command /bin/sh gave something"),
            ("yes s3cret", "the token command /bin/sh gave more than 65536 bytes"),
        ] {
            let error = shell(script, clock.clone()).token().await.unwrap_err().to_string();
            assert!(error.starts_with(want) && !error.contains("s3cret"), "{error}");
        }
        let missing = TokenCommand::new(vec!["/no/such".into()], Duration::from_secs(1), clock).unwrap();
        let error = missing.token().await.unwrap_err().to_string();
        assert!(error.starts_with("the token command /no/such: "), "{error}");
    }

    #[tokio::test]
    async fn a_command_that_does_not_end_is_ended() {
        let argv = ["/bin/sh", "-c", "exec cat /dev/zero > /dev/null"].map(String::from).to_vec();
        let source = TokenCommand::new(argv, Duration::from_millis(200), at(0)).unwrap();
        let error = source.token().await.unwrap_err().to_string();
        assert!(error.ends_with("did not end within 0.2 s"), "{error}");
    }

    #[test]
    fn an_empty_command_is_none_and_arguments_are_not_shown() {
        assert!(TokenCommand::new(vec![], Duration::from_secs(1), at(0)).is_none());
        let source =
            TokenCommand::new(vec!["az".into(), "--secret=s3cret".into()], Duration::from_secs(1), at(0));
        let text = format!("{source:?}");
        assert!(text.contains("az") && !text.contains("s3cret"), "{text}");
    }
}
