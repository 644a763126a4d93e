//! Workload classifiers.

use super::work::Work;
use crate::answer::ServerError;
use crate::catalog::name::same;
use crate::catalog::object::Classifier;
use crate::catalog::permission::Action;
use crate::catalog::seed::RESOURCE_CLASSES;
use crate::errors;
use crate::sql::ast::ClassifierOptions;

impl Work<'_> {
    fn may_classify(&self) -> Result<(), ServerError> {
        if self.access().allows_database(Action::Control) { Ok(()) } else { Err(errors::no_permission()) }
    }

    pub(super) fn create_classifier(
        &mut self,
        name: &str,
        options: &ClassifierOptions,
    ) -> Result<(), ServerError> {
        self.may_classify()?;
        if self.catalog().classifier_named(name).is_some() {
            return Err(errors::classifier_exists(name));
        }
        let group = options.group.clone().unwrap_or_default();
        // The workload groups of a pool are those of its resource classes; more cannot be made here.
        if !RESOURCE_CLASSES.iter().any(|known| same(known, &group)) {
            return Err(errors::no_such_workload_group(&group));
        }
        let now = self.now();
        let catalog = self.catalog_mut();
        let id = catalog.take_classifier_id();
        catalog.put_classifier(Classifier {
            id,
            name: name.to_owned(),
            group,
            member: options.member.clone().unwrap_or_default(),
            importance: options.importance.clone().unwrap_or_else(|| "normal".to_owned()),
            label: options.label.clone(),
            context: options.context.clone(),
            hours: options.start.clone().zip(options.end.clone()),
            created: now,
        });
        Ok(())
    }

    pub(super) fn drop_classifier(&mut self, name: &str) -> Result<(), ServerError> {
        self.may_classify()?;
        let found = self.catalog().classifier_named(name).map(|classifier| classifier.id);
        let id = found.ok_or_else(|| errors::no_such_classifier(name))?;
        self.catalog_mut().remove_classifier(id);
        Ok(())
    }
}
