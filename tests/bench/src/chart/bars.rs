//! Bars side by side.

use anyhow::Result;
use plotters::prelude::*;

use super::{COLOURS, Chart, SIZE, key, legend};
use crate::figure::digits;

/// The share of a group's width that its bars take; the rest separates groups.
const SHARE: f64 = 0.7;

impl Chart {
    pub(super) fn bars(&self, groups: &[String], svg: &mut String) -> Result<()> {
        let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let heights = self.heights()?;
        let floor = heights.start;
        let axis = -0.5..groups.len() as f64 - 0.5;
        let mut chart = self.builder(&root).build_cartesian_2d(axis, heights.log_scale())?;
        let group = |x: &f64| groups.get(x.round() as usize).cloned().unwrap_or_default();
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(groups.len())
            .x_label_formatter(&group)
            .y_label_formatter(&|y| digits(*y))
            .y_desc(self.y)
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .draw()?;
        let width = SHARE / self.series.len().max(1) as f64;
        for (place, (series, colour)) in self.series.iter().zip(COLOURS.iter().cycle()).enumerate() {
            let left = |x: f64| x - SHARE / 2.0 + width * place as f64;
            let bars = series.shown().map(|(x, figure)| {
                Rectangle::new([(left(*x), floor), (left(*x) + width * 0.9, figure.value)], colour.filled())
            });
            chart.draw_series(bars)?.label(&series.label).legend(|at| key(at, *colour));
            let spread = series.shown().map(|(x, figure)| {
                let middle = left(*x) + width * 0.45;
                ErrorBar::new_vertical(middle, figure.low.max(floor), figure.value, figure.high, BLACK.filled(), 6)
            });
            chart.draw_series(spread)?;
        }
        legend(&mut chart)?;
        Ok(root.present()?)
    }
}
