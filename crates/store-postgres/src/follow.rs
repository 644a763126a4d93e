//! Following the commits of other replicas: each commit tells its position on the store's channel.

use std::time::Duration;

use axon_model::RecordSeq;
use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::watch;

/// How long to wait before the server is asked again after it was lost.
const PAUSE: Duration = Duration::from_millis(500);

/// How long nothing may be told before the server is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(30);

/// Moves the position by what is told, for ever. After a connection was lost it looks where the journal stands.
/// What may have been missed meanwhile counts as a change of tokens.
pub(crate) async fn follow(
    pool: PgPool,
    channel: String,
    moved: watch::Sender<RecordSeq>,
    tokens: watch::Sender<u64>,
) {
    let mut again = false;
    while !moved.is_closed() && !pool.is_closed() {
        if let Err(error) =
            listen(&pool, &channel, &moved, &tokens, std::mem::replace(&mut again, true)).await
        {
            tracing::debug!(%error, "the commits of other replicas are not told now");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen(
    pool: &PgPool,
    channel: &str,
    moved: &watch::Sender<RecordSeq>,
    tokens: &watch::Sender<u64>,
    again: bool,
) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(channel).await?;
    let stands = head(&mut listener).await?;
    if again {
        tokens.send_modify(|changes| *changes += 1);
        // Not only forward: a server that was restored from a backup stands where it stands.
        moved.send_if_modified(|told| std::mem::replace(told, stands) != stands);
    } else {
        advance(moved, stands);
    }
    loop {
        match tokio::time::timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(told))) => {
                let (seq, news) = told.payload().split_once(' ').unwrap_or((told.payload(), ""));
                if news == "tokens" {
                    tokens.send_modify(|changes| *changes += 1);
                }
                if let Ok(seq) = seq.parse() {
                    advance(moved, RecordSeq(seq));
                }
            }
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(error)) => return Err(error),
            // Perhaps nobody writes; perhaps the network lost the server. Asking tells which.
            Err(_) => {
                let asked = tokio::time::timeout(SILENCE, head(&mut listener)).await;
                advance(moved, asked.map_err(|_| sqlx::Error::PoolTimedOut)??);
            }
        }
    }
}

/// Where the journal stands.
async fn head(listener: &mut PgListener) -> Result<RecordSeq, sqlx::Error> {
    let head: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM journal").fetch_one(listener).await?;
    Ok(RecordSeq(head.and_then(|seq| u64::try_from(seq).ok()).unwrap_or(0)))
}

fn advance(moved: &watch::Sender<RecordSeq>, seq: RecordSeq) {
    moved.send_if_modified(|told| {
        let further = seq > *told;
        *told = seq.max(*told);
        further
    });
}
