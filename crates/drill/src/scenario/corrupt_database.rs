//! Corruption: the file is there, its bytes are not. The service or the backups must notice.

use super::{Cost, Expected, Runbook, Scenario, ONE_BACKUP_LOST, seconds};
use crate::platform::Fault;
use crate::runbook::{Recovery, Step, InjectAt, NOBODY, Onto, Sign};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "corrupt-database",
    fault: "The database is overwritten under the running service",
    summary: [
        "Corruption: overwrites the database under the running service, which must notice and",
        "acknowledge nothing more; the newest good restore point takes the place of the damage.",
    ],
    cost: Cost::Recent,
    rto: seconds(60),
    rpo: ONE_BACKUP_LOST,
    expected: Expected::Pass,
    runbooks: &[
        Runbook {
            recovery: Recovery::Runbook,
            steps: &[
                Step::SteadyState,
                Step::SafetyCopy,
                Step::Moment(InjectAt::Midway),
                Step::Break(Fault::OverwriteDatabase),
                Step::Notice(Sign::Failures),
                Step::Decide(NOBODY),
                Step::StopAll,
                Step::Restore(Onto::Unwanted),
                Step::StartService,
                Step::CorrectAgain,
                Step::ResumeBackups,
                Step::Reconcile,
                Step::ProtectedAgain,
            ],
        },
    ],
    allows_protector: false,
};
