//! Charts of lines and points as SVG.
//!
//! Text stays text and is set by whatever shows the file: no fonts are needed here. The same chart
//! gives the same bytes everywhere.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde::Serialize;

use super::ReportError;
use super::axis::{Axis, can_show};
use super::look::{Area, Drawn, Look};

/// The chart with its axes, without title and legend, in pixels.
const CHART: (u32, u32) = (720, 440);

/// The title's height in pixels.
const TITLE: u32 = 44;

/// The height of one line of the legend, in pixels.
const ENTRY: i32 = 24;

/// The length of the piece of line in the legend, in pixels.
const SWATCH: i32 = 34;

/// More markers than these on one line would run into each other.
const MOST_MARKERS: usize = 24;

/// Generous estimate of a character's width in the small text size, in pixels.
const CHARACTER: u32 = 8;

/// Sizes of text; Plotters' unit is 1.24th of a pixel.
const SMALL: f64 = 16.0;
const LARGE: f64 = 21.0;

const FONT: &str = "sans-serif";

/// A chart of lines and points.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Plot {
    /// What the chart is about.
    pub title: String,
    /// What x is, with its unit.
    pub x_label: String,
    /// What y is, with its unit.
    pub y_label: String,
    /// Whether x is shown by its logarithm.
    pub log_x: bool,
    /// Whether y is shown by its logarithm.
    pub log_y: bool,
    /// The lines. More than 42 repeat colours and markers.
    pub series: Vec<Series>,
}

/// One line of a chart.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    /// What the legend calls it; lines without a name are not in the legend.
    pub name: String,
    /// Points `(x, y)`, joined in this order. The line is broken at those that the axes have no
    /// place for (not finite, or not positive on a logarithmic axis), and the legend counts these.
    pub points: Vec<(f64, f64)>,
    /// Whether the line is dashed and its markers hollow: for what was calculated, not measured.
    pub dashed: bool,
}

impl Plot {
    /// The chart as an SVG document.
    ///
    /// # Errors
    ///
    /// [`ReportError::Plot`], though drawing in memory has no known way to fail.
    pub fn svg(&self) -> Result<String, ReportError> {
        let mut svg = String::new();
        let size = (CHART.0 + self.legend_width(), TITLE + CHART.1);
        // A block, as the drawing borrows the string until it is dropped.
        let drawn = {
            let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            self.draw(&root)
        };
        match drawn {
            Ok(()) => Ok(svg),
            Err(error) => {
                Err(ReportError::Plot { title: self.title.clone(), reason: error.to_string() })
            }
        }
    }

    fn draw(&self, root: &Area<'_>) -> Drawn {
        root.fill(&WHITE)?;
        self.draw_title(root)?;
        let (chart, legend) = root.margin(TITLE, 0, 0, 0).split_horizontally(CHART.0);
        self.draw_chart(root, &chart)?;
        self.draw_legend(&legend)?;
        root.present()
    }

    /// The title, in smaller letters if it is long.
    fn draw_title(&self, root: &Area<'_>) -> Drawn {
        let (width, _) = root.dim_in_pixel();
        let fitting = f64::from(2 * width) / self.title.chars().count().max(1) as f64;
        let style = (FONT, fitting.min(LARGE)).into_text_style(root);
        let anchored = style.pos(Pos::new(HPos::Left, VPos::Center));
        root.draw_text(&self.title, &anchored, (16, TITLE as i32 / 2))
    }

    fn draw_chart(&self, root: &Area<'_>, area: &Area<'_>) -> Drawn {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let points = || points().filter(|point| self.can_show(**point));
        let x_axis = Axis::spanning(points().map(|point| point.0), self.log_x);
        let y_axis = Axis::spanning(points().map(|point| point.1), self.log_y);
        let y_width = 40 + CHARACTER * y_axis.label_width() as u32;
        let mut chart = ChartBuilder::on(area)
            .margin_left(12)
            .margin_right(24)
            .margin_bottom(8)
            .x_label_area_size(48)
            .y_label_area_size(y_width)
            .build_cartesian_2d(x_axis.clone(), y_axis.clone())?;
        chart
            .configure_mesh()
            .bold_line_style(RGBColor(205, 205, 205))
            .light_line_style(RGBColor(236, 236, 236))
            .axis_style(RGBColor(80, 80, 80))
            .label_style((FONT, SMALL))
            .x_label_formatter(&|x| x_axis.label(*x))
            .y_label_formatter(&|y| y_axis.label(*y))
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .draw()?;
        let pixels = |run: &[(f64, f64)]| run.iter().map(|at| chart.backend_coord(at)).collect();
        let runs = |series: &Series| -> Vec<Vec<(i32, i32)>> {
            series.points.split(|point| !self.can_show(*point)).map(pixels).collect()
        };
        // All lines first: no line may cross out another one's marker.
        for (look, series) in self.looks() {
            for run in runs(series).iter().filter(|run| run.len() > 1) {
                look.line(root, run)?;
            }
        }
        for (look, series) in self.looks() {
            let points = runs(series).concat();
            for &point in points.iter().step_by(points.len().div_ceil(MOST_MARKERS).max(1)) {
                look.marker(root, point)?;
            }
        }
        Ok(())
    }

    /// A line for each named series, beside the chart, where it hides nothing.
    fn draw_legend(&self, area: &Area<'_>) -> Drawn {
        let style = (FONT, SMALL).into_text_style(area).pos(Pos::new(HPos::Left, VPos::Center));
        let named = self.looks().filter(|(_, series)| !series.name.is_empty());
        for ((look, series), line) in named.zip(0..) {
            let y = ENTRY / 2 + line * ENTRY;
            look.line(area, &[(0, y), (SWATCH, y)])?;
            look.marker(area, (SWATCH / 2, y))?;
            area.draw_text(&self.entry(series), &style, (SWATCH + 8, y))?;
        }
        Ok(())
    }

    /// What the legend says of a series.
    fn entry(&self, series: &Series) -> String {
        let hidden = series.points.iter().filter(|point| !self.can_show(**point)).count();
        match hidden {
            0 => series.name.clone(),
            1 => format!("{} (1 point not shown)", series.name),
            _ => format!("{} ({hidden} points not shown)", series.name),
        }
    }

    fn legend_width(&self) -> u32 {
        let named = self.series.iter().filter(|series| !series.name.is_empty());
        let width =
            |series| SWATCH as u32 + 16 + CHARACTER * self.entry(series).chars().count() as u32;
        named.map(width).max().unwrap_or(0)
    }

    fn looks(&self) -> impl Iterator<Item = (Look, &Series)> {
        self.series
            .iter()
            .enumerate()
            .map(|(index, series)| (Look::of(index, series.dashed), series))
    }

    fn can_show(&self, (x, y): (f64, f64)) -> bool {
        can_show(x, self.log_x) && can_show(y, self.log_y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, points: &[(f64, f64)], dashed: bool) -> Series {
        Series { name: name.to_owned(), points: points.to_vec(), dashed }
    }

    fn plot(log: bool, series: Vec<Series>) -> Plot {
        Plot {
            title: "Title & more".to_owned(),
            x_label: "members".to_owned(),
            y_label: "seconds".to_owned(),
            log_x: log,
            log_y: log,
            series,
        }
    }

    #[test]
    fn a_chart_is_an_svg_document_with_its_texts() {
        let points = [(10.0, 1.0), (100.0, 2.0), (1_000.0, 3.0)];
        let svg = plot(true, vec![series("swim <plain>", &points, false)]).svg().unwrap();
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
        for text in ["Title &amp; more", "members", "seconds", "swim &lt;plain&gt;", "1,000"] {
            assert!(svg.contains(&format!(">\n{text}\n<")), "{text} is missing");
        }
        assert!(svg.contains("font-family=\"sans-serif\""));
    }

    #[test]
    fn each_series_has_its_own_look() {
        let points = [(1.0, 1.0), (2.0, 2.0)];
        let two = vec![series("a", &points, false), series("b", &points, true)];
        let svg = plot(false, two).svg().unwrap();
        assert!(svg.contains("#0072B2") && svg.contains("#D55E00"));
        // Only the first has circles: two points and the legend, each filled and outlined.
        assert_eq!(svg.matches("<circle").count(), 6);
    }

    #[test]
    fn points_without_a_place_break_the_line_and_are_counted() {
        let gap = [(1.0, 1.0), (2.0, 0.0), (3.0, 2.0), (4.0, f64::NAN), (5.0, 3.0), (6.0, 4.0)];
        let plot = plot(true, vec![series("a", &gap, false)]);
        assert_eq!(plot.entry(&plot.series[0]), "a (2 points not shown)");
        let svg = plot.svg().unwrap();
        // One piece of line, of two points, and the legend's; four markers, and the legend's.
        assert_eq!(svg.matches("stroke=\"#0072B2\" stroke-width=\"2\" points=").count(), 2);
        assert_eq!(svg.matches("<circle").count(), 10);
    }

    #[test]
    fn a_long_line_has_few_markers() {
        let points: Vec<_> = (0..1_000).map(|x| (f64::from(x), f64::from(x))).collect();
        let svg = plot(false, vec![series("", &points, false)]).svg().unwrap();
        let markers = svg.matches("<circle").count() / 2;
        assert!((12..=MOST_MARKERS).contains(&markers), "{markers}");
    }

    #[test]
    fn a_chart_of_nothing_has_axes() {
        assert!(plot(false, Vec::new()).svg().unwrap().contains("members"));
        assert!(plot(true, vec![series("none", &[], false)]).svg().unwrap().contains("none"));
    }
}
