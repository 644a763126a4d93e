//! Sending what takes it away, wave by wave, with a look at the place after each.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::bail;
use axon_api::integrations::Config;
use axon_controller::{Left, Removal, SWEEP};
use axon_mapping::RoleMap;
use axon_reconcile::{Outcome, Step};
use axon_synapse::Connection;
use axon_synapse::bootstrap::{Setup, Sweep};

use super::{HELD, OfMaps, Sight, is_free, look, why};

/// What takes it away, while it is at that.
pub(super) struct Sending<'a> {
    pub(super) of_maps: &'a OfMaps,
    pub(super) place: (&'a Config, &'a Setup, &'a Connection),
    pub(super) map: &'a (dyn Fn() -> Arc<RoleMap> + Send + Sync),
    pub(super) left: &'a Left,
    pub(super) sweep: &'a Sweep,
    /// What came of each step.
    pub(super) outcomes: Vec<Outcome>,
    /// Steps whose effect is not there.
    pub(super) still: BTreeSet<usize>,
    /// Steps that are not sent after all.
    pub(super) off: BTreeSet<usize>,
}

impl Sending<'_> {
    /// Sends all steps in their waves. After each it is looked what is there: no wave begins while something stays by which people hold
    /// anything, and none sends what is somebody else's by then.
    pub(super) async fn all(
        &mut self,
        removal: &mut Removal<'_, '_>,
        stays: &mut Vec<String>,
    ) -> anyhow::Result<()> {
        for wave in self.left.waves() {
            let steps: Vec<usize> = wave.clone().filter(|n| !self.off.contains(n)).collect();
            if steps.is_empty() {
                continue;
            }
            for some in steps.chunks(SWEEP) {
                self.some(removal, some).await?;
            }
            let (sight, held) = removal.leases().hold_while(Box::pin(look(self.place.2)), HELD).await;
            let sight = sight?;
            held?;
            let classifies = steps.iter().any(|n| matches!(self.left.steps.get(*n), Some(Step::Classify(_))));
            let notes = sight.notes.iter().filter(|_| classifies).cloned();
            let hidden: Vec<String> = sight.hidden().into_iter().chain(notes).collect();
            if let Some(first) = hidden.first() {
                removal.unproven(&steps).await?;
                bail!(
                    "{first}: since this was begun not all of the catalog can be read any more, so nothing of the integration was taken away. Delete \
                     again when it can"
                );
            }
            let still =
                removal.read_back(&steps, &self.outcomes, &sight.seen.graph, &sight.classifiers).await?;
            self.still.extend(still);
            self.refuse_kept(&steps)?;
            if wave.end < self.left.steps.len() {
                self.look_after(removal, wave.end, &sight, stays).await?;
            }
        }
        self.is_free()
    }

    fn is_free(&self) -> anyhow::Result<()> {
        is_free(self.place.0, &(self.map)())
    }

    /// Writes these down, sends them one by one, and writes down what came of them. None is sent once the targets are somebody else's.
    async fn some(&mut self, removal: &mut Removal<'_, '_>, some: &[usize]) -> anyhow::Result<()> {
        self.is_free()?;
        removal.intend(some).await?;
        let mut came = vec![Outcome::NotTried; some.len()];
        let mut trouble = None;
        for (n, outcome) in some.iter().zip(&mut came) {
            if let Err(error) = self.is_free() {
                trouble = Some(error);
                break;
            }
            if let Err(error) = removal.leases().hold().await {
                trouble = Some(error.into());
                break;
            }
            match removal.leases().hold_while(Box::pin(self.sweep.take(*n)), HELD).await {
                (Ok(sent), held) => {
                    *outcome = sent;
                    trouble = held.err().map(Into::into);
                }
                (Err(not_sent), _) => {
                    trouble = Some(anyhow::anyhow!("there is no way to the pool ({not_sent}): delete again"));
                }
            }
            if let Outcome::Unknown { reason, .. } = &*outcome {
                trouble = Some(anyhow::anyhow!(
                    "the connection broke while what the role map made was taken away ({reason}): delete again"
                ));
            }
            if trouble.is_some() {
                break;
            }
        }
        let kept = removal.outcome(some, &came).await;
        for (n, outcome) in some.iter().zip(came) {
            if let Some(place) = self.outcomes.get_mut(*n) {
                *place = outcome;
            }
        }
        match trouble {
            Some(trouble) => Err(trouble),
            None => Ok(kept?),
        }
    }

    /// Fails where people keep what one of these steps was to take.
    fn refuse_kept(&self, steps: &[usize]) -> anyhow::Result<()> {
        let kept = steps.iter().filter(|n| self.still.contains(n));
        let kept = kept.filter_map(|n| Some((self.left.steps.get(*n)?, self.outcomes.get(*n))));
        let mut kept = kept.filter(|(step, _)| Left::gives_while_it_stays(step));
        let Some((step, outcome)) = kept.next() else { return Ok(()) };
        let others = kept.count();
        bail!(
            "{step}: {}{}: somebody would keep what this gives, so nothing of the integration was taken away. Do it by hand, then delete again",
            why(outcome),
            if others == 0 { String::new() } else { format!(" (and {others} more)") }
        )
    }

    /// Leaves out of the steps from here on what is not Axon's alone any more, as this sight shows it.
    async fn look_after(
        &mut self,
        removal: &mut Removal<'_, '_>,
        from: usize,
        sight: &Sight,
        stays: &mut Vec<String>,
    ) -> anyhow::Result<()> {
        let again = self.of_maps.left(self.place.1, self.left.targets().to_vec(), sight).await?;
        if let Some(back) = again.steps.iter().find(|step| Left::gives_while_it_stays(step)) {
            bail!("{back}: it is there again, so nothing of the integration was taken away. Delete again");
        }
        let goes: BTreeSet<String> = again.steps.iter().map(ToString::to_string).collect();
        let rest = (from..).zip(self.left.steps.iter().skip(from));
        let off: Vec<(usize, String)> = rest
            .map(|(n, step)| (n, step.to_string()))
            .filter(|(n, step)| !goes.contains(step) && !self.off.contains(n))
            .collect();
        if off.is_empty() {
            return Ok(());
        }
        let mut new: Vec<String> = again.stays.into_iter().filter(|line| !stays.contains(line)).collect();
        new.extend(off.iter().map(|(_, step)| format!("{step}: not done, since it is not as it was")));
        removal.stays((self.map)().version(), new.clone()).await?;
        stays.extend(new);
        self.off.extend(off.into_iter().map(|(n, _)| n));
        Ok(())
    }
}
