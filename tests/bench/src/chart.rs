//! Charts as SVG. Quantitative axes are logarithmic: values differ by orders of magnitude, and a line's slope shows how a
//! cost grows.

use std::ops::Range;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::figure::{Figure, digits};

mod bars;

/// Width and height, in pixels.
const SIZE: (u32, u32) = (720, 440);
const FONT: &str = "sans-serif";
/// The colour-blind-safe palette of Okabe and Ito.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];
/// The margin beside and below the drawn values, as a factor of the axis range.
const ROOM: f64 = 1.4;
/// The margin above them, for the legend, as a share of their (logarithmic) height.
const TOP: f64 = 0.35;

/// A chart.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// Its file name after the benchmark's name.
    pub(super) name: &'static str,
    pub(super) title: String,
    pub(super) x: &'static str,
    pub(super) y: &'static str,
    pub(super) shape: Shape,
    pub(super) series: Vec<Series>,
}

/// How the series are drawn.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// Lines over a quantity.
    Lines,
    /// Bars side by side, one group for each of these names.
    Bars(Vec<String>),
}

/// One colour.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) label: String,
    /// The quantity, or the index of the group, and the figure there.
    pub(super) points: Vec<(f64, Figure)>,
}

impl Series {
    /// The points with a positive value: others have no place on a logarithmic axis.
    fn shown(&self) -> impl Iterator<Item = &(f64, Figure)> {
        self.points.iter().filter(|(_, figure)| figure.value > 0.0)
    }
}

impl Chart {
    /// The chart as an SVG document.
    ///
    /// # Errors
    /// If there are no positive values.
    pub(super) fn svg(&self) -> Result<String> {
        let mut svg = String::new();
        let drawn = match &self.shape {
            Shape::Lines => self.lines(&mut svg),
            Shape::Bars(groups) => self.bars(groups, &mut svg),
        };
        drawn.map_err(|error| anyhow!("cannot draw {}: {error}", self.name))?;
        Ok(svg)
    }

    fn lines(&self, svg: &mut String) -> Result<()> {
        let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let xs = self.span(|(x, _)| [*x, *x])?;
        let axes = (xs.start / ROOM..xs.end * ROOM).log_scale();
        let heights = self.heights()?;
        let floor = heights.start;
        let mut chart = self.builder(&root).build_cartesian_2d(axes, heights.log_scale())?;
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&|x| digits(*x))
            .y_label_formatter(&|y| digits(*y))
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .draw()?;
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            let middle = series.shown().map(|(x, figure)| (*x, figure.value));
            let line = LineSeries::new(middle, colour.stroke_width(2));
            chart.draw_series(line)?.label(&series.label).legend(|at| key(at, *colour));
            let spread = |(x, figure): &(f64, Figure)| {
                ErrorBar::new_vertical(*x, figure.low.max(floor), figure.value, figure.high, colour.filled(), 6)
            };
            chart.draw_series(series.shown().map(spread))?;
        }
        legend(&mut chart)?;
        Ok(root.present()?)
    }

    fn builder<'a, 'b, B: DrawingBackend>(
        &self,
        root: &'a DrawingArea<B, plotters::coord::Shift>,
    ) -> ChartBuilder<'a, 'b, B> {
        let mut builder = ChartBuilder::on(root);
        builder.caption(&self.title, (FONT, 17)).margin(12).x_label_area_size(44).y_label_area_size(76);
        builder
    }

    fn heights(&self) -> Result<Range<f64>> {
        let span = self.span(|(_, figure)| [figure.low, figure.high])?;
        let low = span.start / ROOM;
        Ok(low..span.end * (span.end / low).powf(TOP))
    }

    /// From the least to the greatest of the positive values.
    fn span(&self, ends: impl Fn(&(f64, Figure)) -> [f64; 2]) -> Result<Range<f64>> {
        let all = self.series.iter().flat_map(|series| &series.points).flat_map(ends).filter(|end| *end > 0.0);
        let (low, high) = all.fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), end| (low.min(end), high.max(end)));
        if high > 0.0 { Ok(low..high) } else { Err(anyhow!("there are no positive values to draw")) }
    }
}

/// The colour key before a name in the legend.
fn key((x, y): (i32, i32), colour: RGBColor) -> Rectangle<(i32, i32)> {
    Rectangle::new([(x, y - 4), (x + 16, y + 4)], colour.filled())
}

fn legend<'a, B, X>(chart: &mut ChartContext<'a, B, Cartesian2d<X, LogCoord<f64>>>) -> Result<()>
where
    B: DrawingBackend + 'a,
    B::ErrorType: 'static,
    X: Ranged<ValueType = f64>,
{
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.2))
        .label_font((FONT, 13))
        .draw()
        .map_err(|error| anyhow!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::{Chart, Figure, Series, Shape};

    fn chart(shape: Shape) -> Chart {
        let point = |x: f64| (x, Figure { value: x * 2.0 - 2.0, low: x - 1.0, high: x * 3.0 });
        let series = ["ours", "theirs"]
            .map(|label| Series { label: label.into(), points: [1.0, 2.0, 1000.0].map(point).into() });
        Chart { name: "it", title: "How it grows".into(), x: "signals", y: "ms", shape, series: series.into() }
    }

    #[test]
    fn a_chart_shows_its_title_axes_and_all_series() {
        for shape in [Shape::Lines, Shape::Bars(vec!["few".into(), "some".into(), "many".into()])] {
            let svg = chart(shape).svg().unwrap();
            for word in ["<svg", "How it grows", "ms", "ours", "theirs"] {
                assert!(svg.contains(word), "no {word} in {svg}");
            }
        }
    }

    #[test]
    fn a_chart_of_nothing_is_an_error_with_its_name() {
        let chart = Chart { series: Vec::new(), ..chart(Shape::Lines) };
        assert!(chart.svg().unwrap_err().to_string().contains("it"));
    }
}
