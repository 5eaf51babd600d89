"""The shapes of a workbook's parts, as far as this project's workbook needs them.

Microsoft publishes a schema (microsoft/Application-Insights-Workbooks, schema/workbook.json), but
it allows any further key and looks at only the first of each list. These shapes are stricter: they
have the keys that this workbook needs and that Microsoft's own workbooks use, and no others.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

LOGS: Final = "microsoft.operationalinsights/workspaces"

type Json = dict[str, Any]


class Shape(BaseModel):
    """A part of the workbook: these keys and no others."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Visibility(Shape):
    parameter_name: str
    comparison: Literal["isEqualTo", "isNotEqualTo"]
    value: str


class Item(Shape):
    name: Annotated[str, Field(min_length=1)]
    custom_width: Annotated[str, Field(pattern="^[1-9][0-9]$")] = "99"
    conditional_visibility: Visibility | None = None


class TextContent(Shape):
    json_: Annotated[str, Field(alias="json", min_length=1)]


class Text(Item):
    type: Literal[1]
    content: TextContent


class ExportedParameter(Shape):
    field_name: str
    parameter_name: str
    parameter_type: Literal[1]
    default_value: Annotated[str, Field(min_length=1)]  # unset, queries would not run


class NumberFormat(Shape):
    """`unit`: 0 none, 1 percent, 5 gigabytes, 17 a count in short, 23 milliseconds, 24 seconds."""

    unit: Literal[0, 1, 5, 17, 23, 24]
    options: Json


class FormatOptions(Shape):
    palette: Literal["auto", "blue", "redBright", "redGreen", "greenRed"] | None = None
    min: int | None = None
    max: int | None = None
    link_target: Literal["Url", "CellDetails"] | None = None
    link_label: str | None = None
    link_is_context_blade: bool = False
    custom_column_width_setting: Annotated[str, Field(pattern=r"^\d+ch$")] | None = None
    thresholds_options: Literal["icons"] | None = None
    thresholds_grid: list[Json] = []


class Formatter(Shape):
    """`formatter`: 0 automatic, 1 text, 4 bar, 6 date, 7 link, 8 heatmap, 12 number, 18 icons."""

    column_match: str
    formatter: Literal[0, 1, 4, 6, 7, 8, 12, 18]
    format_options: FormatOptions | None = None
    number_format: NumberFormat | None = None


class Label(Shape):
    column_id: str
    label: Annotated[str, Field(min_length=1)]


class GridSettings(Shape):
    formatters: list[Formatter]
    row_limit: Annotated[int, Field(ge=100, le=1000)]
    filter: Literal[True]
    label_settings: Annotated[list[Label], Field(min_length=1)]


class Series(Shape):
    series_name: str
    label: str
    color: Literal["green", "orange", "redBright", "blue", "gray"]


class ChartSettings(Shape):
    x_axis: str | None = None
    y_axis: Annotated[list[str], Field(min_length=1)]
    y_settings: Json = {}
    group: str | None = None
    create_other_group: int | None = None
    show_legend: bool = False
    series_label_settings: list[Series] = []


class TileSettings(Shape):
    title_content: Formatter
    left_content: Formatter
    secondary_content: Formatter
    show_border: bool
    sort_criteria_field: str
    sort_order_field: Literal[1, 2]
    size: Literal["fixed", "auto", "full"]


class QueryContent(Shape):
    version: Literal["KqlItem/1.0"]
    query: Annotated[str, Field(pattern=r"^[a-z-]+\.kql$")]
    size: Literal[0, 1, 2, 3, 4]
    title: Annotated[str, Field(min_length=1)]
    no_data_message: Annotated[str, Field(min_length=1)]
    no_data_message_style: Literal[3] | None = None  # good that there is nothing
    time_context_from_parameter: Literal["TimeRange"]
    show_export_to_excel: bool = False
    exported_parameters: list[ExportedParameter] = []
    query_type: Literal[0]
    resource_type: Literal["microsoft.operationalinsights/workspaces"]
    cross_component_resources: tuple[Literal["<workspace>"]]
    visualization: Literal["table", "tiles", "barchart", "linechart", "piechart"]
    grid_settings: GridSettings | None = None
    chart_settings: ChartSettings | None = None
    tile_settings: TileSettings | None = None


class QueryItem(Item):
    type: Literal[3]
    content: QueryContent


class Parameter(Shape):
    id: str
    version: Literal["KqlParameterItem/1.0"]
    name: Annotated[str, Field(pattern="^[A-Za-z]+$")]
    label: Annotated[str, Field(min_length=1)]
    type: Literal[1, 2, 4]
    is_required: Literal[True]
    description: str | None = None
    value: str | list[str] | dict[str, int]
    is_hidden_when_locked: bool = False
    type_settings: Json = {}
    multi_select: bool = False
    quote: Literal["'"] = "'"
    delimiter: Literal[","] = ","
    query: str | None = None
    query_type: Literal[0] = 0
    resource_type: str = LOGS
    cross_component_resources: list[str] = []
    time_context_from_parameter: str = "TimeRange"


class ParametersContent(Shape):
    version: Literal["KqlParameterItem/1.0"]
    parameters: Annotated[list[Parameter], Field(min_length=1)]
    style: Literal["pills", "above", "formHorizontal"]
    query_type: Literal[0]
    resource_type: str


class Parameters(Item):
    type: Literal[9]
    content: ParametersContent


class Metric(Shape):
    namespace: str
    metric: str
    aggregation: Literal[1, 2, 3, 4]
    split_by: str | None
    column_name: str


class MetricContent(Shape):
    chart_id: str
    version: Literal["MetricsItem/2.0"]
    size: Literal[0, 1, 2, 3, 4]
    chart_type: Literal[2]
    resource_type: str
    metric_scope: Literal[0]
    resource_ids: list[str]
    time_context_from_parameter: Literal["TimeRange"]
    time_context: dict[str, int]
    metrics: Annotated[list[Metric], Field(min_length=1)]
    title: Annotated[str, Field(min_length=1)]
    grid_settings: Json


class MetricItem(Item):
    type: Literal[10]
    content: MetricContent


class Link(Shape):
    id: str
    cell_value: str
    link_target: Literal["parameter", "Resource", "Url"]
    link_label: Annotated[str, Field(min_length=1)]
    sub_target: str | None = None
    pre_text: str | None = None
    style: Literal["link"]


class LinksContent(Shape):
    version: Literal["LinkItem/1.0"]
    style: Literal["tabs", "nav", "list"]
    links: Annotated[list[Link], Field(min_length=1)]


class Links(Item):
    type: Literal[11]
    content: LinksContent


class GroupContent(Shape):
    version: Literal["NotebookGroup/1.0"]
    group_type: Literal["editable"]
    items: list[Annotated[Text | QueryItem | Parameters | MetricItem, Field(discriminator="type")]]


class Group(Item):
    type: Literal[12]
    content: GroupContent


class Workbook(Shape):
    schema_: Annotated[str, Field(alias="$schema")]
    version: Literal["Notebook/1.0"]
    items: list[
        Annotated[
            Text | QueryItem | Parameters | MetricItem | Links | Group, Field(discriminator="type")
        ]
    ]
    fallback_resource_ids: tuple[Literal["<workspace>"]]
