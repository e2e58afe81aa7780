/**
 * The parts of the charting library that the chart uses. `scripts/build` bundles this file aside, and
 * `chart.ts` loads it when it draws: as part of the program it would make every start slower.
 */
import { LineChart } from "echarts/charts";
import {
  GridComponent,
  LegendComponent,
  TitleComponent,
} from "echarts/components";
import { type ECharts, init, use } from "echarts/core";
import { LabelLayout } from "echarts/features";
import { SVGRenderer } from "echarts/renderers";

use([
  LineChart,
  GridComponent,
  LabelLayout,
  LegendComponent,
  TitleComponent,
  SVGRenderer,
]);

/** A chart that needs no browser: it becomes text. */
export function makeChart(width: number, height: number): ECharts {
  return init(null, null, { renderer: "svg", ssr: true, width, height });
}
