//! A body that says it is over the limit is refused after it was read away for a moment. Closing the connection while the client
//! still sends would reset it, and the client would never see the 413.

use std::time::Duration;

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;

/// How long it is read away. A client that is slower than that sees a closed connection.
const MOMENT: Duration = Duration::from_secs(1);
/// How many times the limit is read away at most.
const MOST: u64 = 4;

/// Refuses what says that it is too large; lets all else pass. A body that does not say is held to the limit as it is read.
pub async fn refuse(limit: u64, request: Request, next: Next) -> Response {
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared =
        declared.and_then(|v| v.to_str().ok()).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    if declared <= limit {
        return next.run(request).await;
    }
    let most = limit.saturating_mul(MOST);
    let mut body = request.into_body().into_data_stream();
    let reading = async {
        let mut read: u64 = 0;
        while let Some(Ok(piece)) = body.next().await {
            read += piece.len() as u64;
            if read > most {
                break;
            }
        }
    };
    // Read or not, the answer is the same.
    drop(tokio::time::timeout(MOMENT, reading).await);
    StatusCode::PAYLOAD_TOO_LARGE.into_response()
}
