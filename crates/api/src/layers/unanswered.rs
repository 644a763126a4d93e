//! A request whose client goes away: what is dropped before it was answered is counted, since the client's side counts it.

use super::Admitted;
use crate::state::Api;

/// Stands by a request until it is answered.
pub struct Unanswered<'a> {
    api: &'a Api,
    admitted: &'a Admitted,
    is_answered: bool,
}

impl<'a> Unanswered<'a> {
    /// Begins to stand by.
    pub fn new(api: &'a Api, admitted: &'a Admitted) -> Self {
        Self { api, admitted, is_answered: false }
    }

    /// There is an answer.
    pub fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.is_answered && !std::thread::panicking() {
            self.api.care.enter_unanswered(self.admitted, self.api.clock.as_ref());
        }
    }
}
