//! A chart as a picture.

use super::chart::Chart;

const LABEL: f64 = 150.0;
const WIDTH: f64 = 1_200.0;
const LANE: f64 = 16.0;
const TOP: f64 = 48.0;
/// Pixels from one mark of the axis to the next, at least.
const MARK: i64 = 60;

/// The chart as SVG; what a bar is shows when the mouse is on it.
pub(super) fn svg(chart: &Chart) -> String {
    let height = TOP + LANE * chart.lanes.len() as f64 + 8.0;
    let width = LABEL + WIDTH + 10.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"8\" y=\"18\" font-size=\"14\">{}</text>\n",
        escape(&chart.title)
    );
    let x = |ms: i64| {
        let share = (ms - chart.from_ms) as f64 / chart.length_ms() as f64;
        LABEL + WIDTH * share.clamp(0.0, 1.0)
    };
    for (at_ms, words) in chart.marks(chart.length_ms() * MARK / WIDTH as i64) {
        let at = x(at_ms);
        text += &format!(
            "<path d=\"M{at:.1} {TOP}V{height}\" stroke=\"#ddd\"/>\
             <text x=\"{at:.1}\" y=\"{}\" fill=\"#555\">{words}</text>\n",
            TOP - 6.0
        );
    }
    for (place, lane) in chart.lanes.iter().enumerate() {
        let y = TOP + LANE * place as f64;
        text += &format!(
            "<path d=\"M0 {y}H{width}\" stroke=\"#eee\"/>\
             <text x=\"8\" y=\"{}\">{}</text>\n",
            y + 12.0,
            escape(&lane.label)
        );
        for bar in &lane.bars {
            let (from, until) = (x(bar.from_ms), x(bar.until_ms));
            // The golden angle: neighbours in number are far apart in colour.
            let hue = bar.kind * 137 % 360;
            text += &format!(
                "<rect x=\"{from:.1}\" y=\"{}\" width=\"{:.1}\" height=\"{}\" \
                 fill=\"hsl({hue} 55% 60%)\"><title>{}</title></rect>\n",
                y + 2.0,
                (until - from).max(0.5),
                LANE - 4.0,
                escape(&bar.title)
            );
        }
    }
    text + "</svg>\n"
}

fn escape(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain.fold(String::new(), |out, c| match c {
        '&' => out + "&amp;",
        '<' => out + "&lt;",
        '>' => out + "&gt;",
        '"' => out + "&quot;",
        c => {
            let mut out = out;
            out.push(c);
            out
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::chart::{Bar, Chart, Lane};
    use super::svg;

    #[test]
    fn names_are_text_in_the_picture_and_nothing_else() {
        let bar = Bar {
            from_ms: 0,
            until_ms: 1,
            title: "</title><script>".to_owned(),
            kind: 3,
        };
        let lane = Lane {
            label: "A & \"B\"".to_owned(),
            bars: vec![bar],
        };
        let chart = Chart {
            title: "a < b".to_owned(),
            from_ms: 0,
            until_ms: 3_600_000,
            lanes: vec![lane],
        };
        let text = svg(&chart);
        assert!(
            text.starts_with("<svg ") && text.ends_with("</svg>\n"),
            "{text}"
        );
        for part in [
            "a &lt; b",
            "A &amp; &quot;B&quot;",
            "&lt;/title&gt;&lt;script&gt;",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(text.matches("<rect ").count(), 2);
    }
}
