"""Every picture the server draws, as SVG readable without JavaScript.

Each function takes plain numbers and returns escaped markup.  Positions and lengths are attributes (the content
security policy allows no inline style), colours are classes from ``static/css``.  Missing data is drawn as missing:
dotted, hatched, or a sentence, never zero.
"""

from obt_site.charts.bars import bar_axis, bar_grid, bar_missing, result_bar
from obt_site.charts.changes import change_axis, change_grid, change_missing, change_row, change_scale
from obt_site.charts.empty import empty_picture, hatch
from obt_site.charts.figures import glyph, meter, own_scale, progress_bar, sample_dots, share_bar, sparkline, whisker
from obt_site.charts.history import HistoryMark, HistoryPoint, history_chart
from obt_site.charts.lanes import LaneBlock, lane_blocks, time_axis
from obt_site.charts.samples import SamplePoint, samples_chart
from obt_site.charts.scatter import Axis, ScatterPoint, pareto_edge, scatter
from obt_site.charts.telemetry import Panel, Phase, telemetry_panels

__all__ = [
    "Axis",
    "HistoryMark",
    "HistoryPoint",
    "LaneBlock",
    "Panel",
    "Phase",
    "SamplePoint",
    "ScatterPoint",
    "bar_axis",
    "bar_grid",
    "bar_missing",
    "change_axis",
    "change_grid",
    "change_missing",
    "change_row",
    "change_scale",
    "empty_picture",
    "glyph",
    "hatch",
    "history_chart",
    "lane_blocks",
    "meter",
    "own_scale",
    "pareto_edge",
    "progress_bar",
    "result_bar",
    "sample_dots",
    "samples_chart",
    "scatter",
    "share_bar",
    "sparkline",
    "telemetry_panels",
    "time_axis",
    "whisker",
]
