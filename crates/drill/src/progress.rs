//! What a person sees on stderr while a drill runs: events as they happen, and a live line where there is a terminal.

use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

use backup::text;
use indicatif::{ProgressBar, ProgressStyle};

use crate::resolution::Resolution;
use crate::terminal;
use crate::witness::event::Happened;

/// The live display. Cloning it gives another handle of the same display.
#[derive(Clone)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A display on stderr; without a terminal it prints lines and no live line.
    pub(crate) fn new() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{spinner} {wide_msg}").unwrap_or(ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style);
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar }
    }

    /// Shows an event, as it happens.
    pub(crate) fn event(&self, happened: &Happened, resolution: Resolution) {
        self.tell(&resolution.seconds(Some(happened.at.as_secs_f64())), happened, "");
    }

    /// Shows an event that is known only now. What comes after it in time is on the screen already.
    pub(crate) fn found(&self, happened: &Happened, resolution: Resolution) {
        self.tell("", happened, &format!("was at {}  ", resolution.seconds(Some(happened.at.as_secs_f64()))));
    }

    fn tell(&self, at: &str, Happened { event, note, .. }: &Happened, before_note: &str) {
        let line = format!("{at:>10}  {:<2}  {:<27}  {before_note}{note}", event.code(), event.meaning());
        self.line(line.trim_end());
    }

    /// Shows a program that is run, as one would type it.
    pub(crate) fn command(&self, command: &str) {
        self.line(&format!("$ {command}"));
    }

    /// Shows a line of text.
    pub(crate) fn line(&self, line: &str) {
        let line = &text::printable_lines(line);
        match &self.bar {
            Some(bar) => bar.println(terminal::wrapped(line, &io::stderr())),
            // Whoever closed stderr does not want to know, and the drill must go on to its clean-up.
            None => drop(writeln!(io::stderr(), "{line}")),
        }
    }

    /// Does something that prints, with the live line out of the way.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Changes the live line: what is being waited for.
    pub(crate) fn waiting(&self, what: impl Into<String>) {
        if let Some(bar) = &self.bar {
            bar.set_message(text::printable(&what.into()));
        }
    }

    /// Removes the live line.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}
