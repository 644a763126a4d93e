//! What a target can do: asked at first contact and whenever it says that it is another version, kept in the store.

use super::Ticker;

/// The longest that the asking may take: somebody may be waiting to be shut out.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(30);

/// Under which name the store keeps it: no target can be called so.
pub fn capabilities_key(target: &str) -> String {
    format!("probes:{target}")
}

impl Ticker {
    /// Lets the target learn what it can do, once for each version that it says it is. What fails is tried again with the next full
    /// look; nothing waits for it.
    pub(super) async fn acquaint(&mut self) {
        let Some(known) = &self.actual else { return };
        let facts = &known.inspection.facts;
        let is = (facts.version.clone(), facts.engine_edition);
        let looked = known.at;
        if self.acquainted.as_ref().is_some_and(|(done, at)| *done == is || *at == looked) {
            return;
        }
        let key = capabilities_key(self.name.as_str());
        let kept = match self.store.summary(&key).await {
            Ok(kept) => kept.map(|(value, _)| value),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what a target can do cannot be read"
                );
                return;
            }
        };
        let learned = tokio::time::timeout(LONGEST, self.target.acquaint(kept)).await;
        let told = match learned {
            Ok(Ok(told)) => {
                self.acquainted = Some((is, looked));
                told
            }
            Ok(Err(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a target could not be asked what it can do"
                );
                self.acquainted = Some(((String::new(), 0), looked));
                None
            }
            Err(_) => {
                tracing::warn!("a target took too long to say what it can do");
                self.acquainted = Some(((String::new(), 0), looked));
                None
            }
        };
        if let Some(value) = told
            && let Err(error) = self.store.save_summary(&key, value, self.clock.now()).await
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "what a target can do could not be kept"
            );
        }
    }
}
