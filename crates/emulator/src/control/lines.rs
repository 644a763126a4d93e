//! One command a line, one answer a line.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::Levers;
use crate::answer::ServerError;
use crate::faults::{Armed, Fault};
use crate::pool::{Pool, Power};

/// The longest line.
const MOST: u64 = 64 * 1024;
const HELP: &str = "power online|paused|resuming|scaling; cut; clear; directory-down TIMES; latency MILLIS TIMES [TEXT]; \
                    login NUMBER MESSAGE; statement NUMBER before|after [TEXT]; hangup before|after [TEXT]";

/// Takes commands until the end.
pub(super) async fn converse(stream: TcpStream, levers: &Levers) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = String::new();
        match (&mut read).take(MOST).read_line(&mut line).await {
            Ok(length) if length > 0 && line.ends_with('\n') => {}
            _ => return,
        }
        let answer = match obey(&line, &levers.pool) {
            Some(()) => "ok\n".to_owned(),
            None => format!("not a command; {HELP}\n"),
        };
        if write.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn obey(line: &str, pool: &Pool) -> Option<()> {
    let mut words = line.split_whitespace();
    let mut word = || words.next();
    let first = word()?;
    match first {
        "power" => pool.set_power(match word()? {
            "online" => Power::Online,
            "paused" => Power::Paused,
            "resuming" => Power::Resuming,
            "scaling" => Power::Scaling,
            _ => return None,
        }),
        "cut" => pool.cut_sessions(),
        "clear" => pool.clear_faults(),
        "directory-down" => {
            let times = word()?.parse().ok()?;
            pool.arm_for(Armed { fault: Fault::DirectoryDown, times, matching: None });
        }
        "latency" => {
            let millis = word()?.parse().ok()?;
            let times = word()?.parse().ok()?;
            pool.arm_for(Armed {
                fault: Fault::Latency(Duration::from_millis(millis)),
                times,
                matching: rest(words),
            });
        }
        "login" => {
            let number = word()?.parse().ok()?;
            pool.arm(Fault::Login(ServerError::new(number, rest(words).unwrap_or_default())));
        }
        "statement" => {
            let number = word()?.parse().ok()?;
            let applied = after(word()?)?;
            let error = ServerError::new(number, "a fault that was asked for");
            pool.arm_for(Armed {
                fault: Fault::Statement { error, applied },
                times: 1,
                matching: rest(words),
            });
        }
        "hangup" => {
            let applied = after(word()?)?;
            pool.arm_for(Armed { fault: Fault::Hangup { applied }, times: 1, matching: rest(words) });
        }
        _ => return None,
    }
    Some(())
}

fn after(word: &str) -> Option<bool> {
    match word {
        "after" => Some(true),
        "before" => Some(false),
        _ => None,
    }
}

fn rest<'a>(words: impl Iterator<Item = &'a str>) -> Option<String> {
    let text = words.collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pool;

    #[test]
    fn a_line_moves_a_lever_or_says_nothing_was_done() {
        let pool = pool();
        assert_eq!(obey("power paused", &pool), Some(()));
        assert_eq!(pool.power(), Power::Paused);
        assert_eq!(obey("hangup after GRANT SELECT", &pool), Some(()));
        assert_eq!(pool.faults_waiting(), 1);
        for bad in ["", "power", "power on", "latency x 1", "hangup sometimes", "statement 1"] {
            assert_eq!(obey(bad, &pool), None, "{bad}");
        }
    }
}
