//! From seconds to places on the page.

/// A window of time drawn to scale.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// First moment shown, in seconds since the drill began.
    pub from: f64,
    /// Last moment shown; later than the first.
    pub to: f64,
    /// Where the first moment is.
    pub left: f64,
    /// Where the last moment is.
    pub right: f64,
}

impl Scale {
    /// Whether a moment is in the window.
    pub(super) fn shows(&self, seconds: f64) -> bool {
        (self.from..=self.to).contains(&seconds)
    }

    /// Where a moment is; at the edge if it is outside.
    pub(super) fn x(&self, seconds: f64) -> f64 {
        let share = (seconds - self.from) / (self.to - self.from);
        self.left + share.clamp(0.0, 1.0) * (self.right - self.left)
    }

    /// Round moments at least `distance` apart on the page, and how to write them.
    pub(super) fn ticks(&self, distance: f64) -> Vec<(f64, String)> {
        let least = (self.to - self.from) * distance / (self.right - self.left);
        let power = 10_f64.powf(least.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= least);
        let step = step.unwrap_or(10.0 * power);
        let digits = if step >= 1.0 {
            0
        } else if step >= 0.1 {
            1
        } else {
            2
        };
        let first = (self.from / step).ceil();
        let moments = std::iter::successors(Some(first), |number| Some(number + 1.0)).map(|number| number * step);
        moments
            .take_while(|moment| *moment <= self.to)
            .map(|moment| (self.x(moment), format!("{moment:.digits$} s")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(from: f64, to: f64) -> Scale {
        Scale { from, to, left: 10.0, right: 110.0 }
    }

    #[test]
    fn moments_are_placed_in_proportion_and_held_at_the_edges() {
        let scale = scale(4.0, 8.0);
        assert_eq!([3.0, 4.0, 5.0, 8.0, 9.0].map(|seconds| scale.x(seconds)), [10.0, 10.0, 35.0, 110.0, 110.0]);
    }

    #[test]
    fn ticks_are_round_and_not_too_dense() {
        let labels = |from, to, distance| -> Vec<String> {
            scale(from, to).ticks(distance).into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels(0.0, 10.0, 40.0), ["0 s", "5 s", "10 s"]);
        assert_eq!(labels(6.42, 6.71, 30.0), ["6.5 s", "6.6 s", "6.7 s"]);
        assert_eq!(labels(0.0, 170.0, 50.0), ["0 s", "100 s"]);
    }
}
