//! The path from a database to the newest group: the journal's files in order, and which of them count.
//!
//! A file says which group its first one comes after. From the newest file back, that gives one chain; whatever is not
//! on it was left behind, when a stranger took over or people went back in time, and is never replayed.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::file;
use super::record::Header;

#[derive(Clone, Debug)]
pub(crate) struct History {
    pub directory: PathBuf,
    /// Those in which something was written.
    pub files: Vec<(i64, Header)>,
    /// The newest epoch that was begun, whether or not anything was written in it; 0 if there is none.
    pub newest_epoch: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub epoch: i64,
    pub from: i64,
    /// The last group that counts; `None` in the newest file, where all do.
    pub to: Option<i64>,
}

/// Why no chain leads from a group to the newest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoChain {
    /// The journal ends before that group, or there is none.
    #[error("the journal ends before it, at group {last}")]
    Behind {
        /// An upper bound of the journal's last group; 0 if there is none.
        last: i64,
    },
    /// History went on from an older group.
    #[error("it was left behind: history continued after group {after}, in epoch {epoch}")]
    LeftBehind { epoch: i64, after: i64 },
    /// What was stored in between was not journaled.
    #[error("writes between it and group {first} were not journaled; later restore points contain them")]
    Unjournaled { first: i64 },
    #[error("the journal file with groups {from} to {to} is missing")]
    Missing { from: i64, to: i64 },
}

impl History {
    pub(crate) fn read(directory: &Path) -> anyhow::Result<Self> {
        let epochs = file::epochs(directory)?;
        let newest_epoch = epochs.last().copied().unwrap_or(0);
        let mut files = Vec::new();
        for epoch in epochs {
            files.extend(file::header(directory, epoch)?.map(|header| (epoch, header)));
        }
        Ok(Self { directory: directory.to_owned(), files, newest_epoch })
    }

    /// The newest file in which something was written.
    pub(crate) fn newest(&self) -> Option<&(i64, Header)> {
        self.files.last()
    }

    /// What to replay after a group, up to the newest. The last group of the newest file is not known here: whether it is
    /// that group or a later one is seen when the file is read.
    pub(crate) fn chain(&self, number: i64) -> Result<Vec<Link>, NoChain> {
        chain(&self.files, number)
    }

    /// What to replay after a group on the branch that it is on, be it left behind: what a person wants who goes back.
    pub(crate) fn branch(&self, number: i64) -> Vec<Link> {
        let branches = (1..=self.files.len()).rev().map(|newest| chain(&self.files[..newest], number));
        branches.flatten().next().unwrap_or_default()
    }

    /// The greatest number that any group has.
    pub(crate) fn greatest(&self) -> anyhow::Result<i64> {
        let Some((epoch, _)) = self.newest() else { return Ok(0) };
        let contents = file::Contents::read(&self.directory, *epoch)?;
        let mut contents = contents.with_context(|| format!("the file of epoch {epoch} vanished"))?;
        while contents.next_group().is_some() {}
        Ok(contents.last())
    }

    /// Whether every file that ever was is there and none holds a message: whoever lacks them lacks nothing.
    pub(crate) fn is_without_messages(&self) -> anyhow::Result<bool> {
        if !file::epochs(&self.directory)?.into_iter().eq(1..=self.newest_epoch) {
            return Ok(false);
        }
        for (epoch, _) in &self.files {
            let contents = file::Contents::read(&self.directory, *epoch)?;
            let mut contents = contents.with_context(|| format!("the file of epoch {epoch} vanished"))?;
            while let Some(group) = contents.next_group() {
                if !group.rows.is_empty() {
                    return Ok(false);
                }
            }
            if let file::Tail::Damaged { .. } = contents.tail() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The epochs whose files lead from no restore point on: all are older than what the oldest restore point needs.
    pub(crate) fn needless(&self, oldest_mark: i64) -> Vec<i64> {
        let needed = self.files.iter().rposition(|(_, header)| header.first <= oldest_mark + 1);
        needed.map_or(Vec::new(), |needed| self.files[..needed].iter().map(|(epoch, _)| *epoch).collect())
    }
}

fn chain(files: &[(i64, Header)], number: i64) -> Result<Vec<Link>, NoChain> {
    let mut links = Vec::new();
    let mut to = None;
    for (epoch, header) in files.iter().rev() {
        // Left behind by what came later.
        if to.is_some_and(|to| header.first > to) {
            continue;
        }
        if number >= header.first {
            links.push(Link { epoch: *epoch, from: number + 1, to });
            links.reverse();
            return Ok(links);
        }
        links.push(Link { epoch: *epoch, from: header.first, to });
        match header.after {
            None => return Err(NoChain::Unjournaled { first: header.first }),
            Some(after) if after < number => return Err(NoChain::LeftBehind { epoch: *epoch, after }),
            Some(after) if after == number => {
                links.reverse();
                return Ok(links);
            }
            Some(after) => to = Some(after),
        }
    }
    Err(to.map_or(NoChain::Behind { last: 0 }, |to| NoChain::Missing { from: number + 1, to }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(headers: &[(i64, i64, Option<i64>)]) -> History {
        let header = |first, after| {
            let (lineage, instance, begun_at) = Default::default();
            Header { format: super::super::record::FORMAT, lineage, first, after, instance, begun_at }
        };
        let files: Vec<_> = headers.iter().map(|(epoch, first, after)| (*epoch, header(*first, *after))).collect();
        History { directory: PathBuf::new(), newest_epoch: files.last().map_or(0, |(epoch, _)| *epoch), files }
    }

    fn link(epoch: i64, from: i64, to: Option<i64>) -> Link {
        Link { epoch, from, to }
    }

    #[test]
    fn a_chain_leads_from_a_group_to_the_newest() {
        let history = files(&[(1, 1, None), (2, 101, Some(100)), (5, 201, Some(200))]);
        assert_eq!(history.chain(200), Ok(vec![link(5, 201, None)]));
        assert_eq!(history.chain(250), Ok(vec![link(5, 251, None)]));
        assert_eq!(history.chain(150), Ok(vec![link(2, 151, Some(200)), link(5, 201, None)]));
        let whole = vec![link(1, 2, Some(100)), link(2, 101, Some(200)), link(5, 201, None)];
        assert_eq!(history.chain(1), Ok(whole));
        assert_eq!(history.chain(0), Err(NoChain::Unjournaled { first: 1 }));
        assert_eq!(files(&[]).chain(1), Err(NoChain::Behind { last: 0 }));
    }

    #[test]
    fn what_was_left_behind_is_on_no_chain_but_on_its_branch() {
        // Somebody went back to 50, then to 120 of the second try.
        let history = files(&[(1, 1, None), (2, 101, Some(50)), (3, 151, Some(120))]);
        assert_eq!(history.chain(40), Ok(vec![link(1, 41, Some(50)), link(2, 101, Some(120)), link(3, 151, None)]));
        assert_eq!(history.chain(50), Ok(vec![link(2, 101, Some(120)), link(3, 151, None)]));
        assert_eq!(history.chain(60), Err(NoChain::LeftBehind { epoch: 2, after: 50 }));
        assert_eq!(history.chain(130), Err(NoChain::LeftBehind { epoch: 3, after: 120 }));
        assert_eq!(history.branch(60), [link(1, 61, None)]);
        assert_eq!(history.branch(130), [link(2, 131, None)]);
        assert_eq!(history.branch(0), []);
    }

    #[test]
    fn going_back_past_a_whole_epoch_leaves_it_behind() {
        let history = files(&[(1, 1, None), (2, 101, Some(100)), (3, 201, Some(80))]);
        assert_eq!(history.chain(80), Ok(vec![link(3, 201, None)]));
        assert_eq!(history.chain(70), Ok(vec![link(1, 71, Some(80)), link(3, 201, None)]));
        assert_eq!(history.chain(150), Err(NoChain::LeftBehind { epoch: 3, after: 80 }));
    }

    #[test]
    fn a_missing_file_and_an_unjournaled_time_are_no_chain() {
        let history = files(&[(2, 101, Some(100)), (4, 301, Some(300)), (5, 401, None), (6, 501, Some(500))]);
        assert_eq!(history.chain(450), Ok(vec![link(5, 451, Some(500)), link(6, 501, None)]));
        assert_eq!(history.chain(350), Err(NoChain::Unjournaled { first: 401 }));
        let history = files(&[(2, 101, Some(100)), (4, 301, Some(300))]);
        assert_eq!(history.chain(90), Err(NoChain::Missing { from: 91, to: 100 }));
        // The second file may be missing behind the first: that is seen when the first is read.
        assert_eq!(history.chain(150), Ok(vec![link(2, 151, Some(300)), link(4, 301, None)]));
    }

    #[test]
    fn only_what_no_restore_point_needs_is_needless() {
        let history = files(&[(1, 1, None), (2, 101, Some(100)), (3, 201, Some(200))]);
        for (oldest_mark, expected) in
            [(0, &[][..]), (99, &[]), (100, &[1]), (199, &[1]), (200, &[1, 2]), (999, &[1, 2])]
        {
            assert_eq!(history.needless(oldest_mark), expected, "{oldest_mark}");
        }
        // A restore point at 60 is of a branch that was left at 50: the file of both stays.
        let history = files(&[(1, 1, None), (2, 101, Some(50))]);
        assert_eq!(history.needless(60), [0i64; 0]);
        assert_eq!(history.needless(100), [1]);
    }
}
