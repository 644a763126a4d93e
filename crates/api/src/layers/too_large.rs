//! A body that says it is over the limit is refused after it was read away for a moment. Closing the connection while the client
//! still sends would reset it, and the client would never see the 413.

use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;

/// How long it is read away. A client that is slower than that sees a closed connection.
const MOMENT: Duration = Duration::from_secs(1);
/// How many times the limit is read away at most.
const MOST: u64 = 4;

/// Whether a body says that it is over the limit. One that does not say is held to it as it is read.
pub fn is_declared(limit: u64, headers: &HeaderMap) -> bool {
    let declared = headers.get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|v| v.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
    declared.is_some_and(|declared| declared > limit)
}

/// Refuses such a body.
pub async fn refuse(limit: u64, request: Request) -> Response {
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
