"""analysis.json: the numbers that the report shows beyond report.json, of a size that does not grow with the data."""

from pydantic import BaseModel, Field

ANALYSIS_FILE = "analysis.json"


class CalibrationBin(BaseModel):
    """Rows whose predicted probability of a class is in one tenth of the range."""

    predicted: float = Field(description="Mean probability.")
    observed: float = Field(description="Share of rows that are of the class.")
    weight: float = Field(description="Sum of the rows' weights.")


class ClassAnalysis(BaseModel):
    """One class against all others; curves run from the origin, at most 101 points."""

    name: str
    share: float = Field(description="Of the labelled rows, by weight.")
    false_positive_rate: list[float]
    true_positive_rate: list[float]
    threshold: list[float] = Field([], description="The score from which on a row counts as positive at these rates.")
    recall: list[float]
    precision: list[float]
    calibration: list[CalibrationBin]


class Confusion(BaseModel):
    """Label × prediction, sums of weights. Of many classes, the less frequent are together in the last."""

    classes: list[str]
    counts: list[list[float]]


class Decisions(BaseModel):
    """One class of a multilabel task, decided at 0.5; sums of weights."""

    name: str
    true_positive: float
    false_positive: float
    false_negative: float
    true_negative: float


class Histogram(BaseModel):
    """Sums of weights between edges [n + 1]; the outermost bins also hold what is beyond."""

    edges: list[float]
    counts: list[float]


class Grid(BaseModel):
    """Predictions beside labels: sums of weights [predictions, labels] between the same edges."""

    edges: list[float]
    counts: list[list[float]]


class LevelCoverage(BaseModel):
    """How many labels are at or below a predicted quantile."""

    level: float
    share: float


class Importance(BaseModel):
    """How much worse the metric becomes when a column's values are permuted among the rows."""

    column: str
    worse: float = Field(description="Mean over the repetitions, positive where the model needs the column.")
    spread: float = Field(description="Standard deviation over the repetitions.")
    beyond_chance: bool = Field(True, description="Whether it is above 0 by the standard error of the mean.")


class TaskAnalysis(BaseModel):
    """A task, by the sampled rows that have a label."""

    rows: int
    classes: list[ClassAnalysis] = []
    confusion: Confusion | None = None
    decisions: list[Decisions] = []
    residuals: Histogram | None = None
    predicted_true: Grid | None = None
    coverage: list[LevelCoverage] = []
    errors: dict[str, float] = Field({}, description="Metric → standard error over the sampled rows.")
    slice_errors: dict[str, dict[str, float]] = Field({}, description='"column=value" → the same of the slice.')
    slice_rows: dict[str, int] = Field({}, description='"column=value" → sampled rows with a label.')
    importance_metric: str = ""
    importance_base: float | None = None
    importance: list[Importance] = []


class ShownAnswer(BaseModel):
    """A task's label and prediction of one row, as texts.

    Of a box also the label's and the predicted edges; of tags also the label's and the predicted one of each token.
    """

    task: str
    label: str
    predicted: str
    boxes: list[list[float]] = []
    tags: list[tuple[str, str]] = []


class ShownRow(BaseModel):
    """A row of the sample that the report shows."""

    image: str = Field("", description="A data URL.")
    text: str = Field("", description="A text, or the tokens of a sequence.")
    tokens: list[str] = Field([], description="Those that the tags of the answers are of.")
    answers: list[ShownAnswer] = []


class BaselineAnalysis(BaseModel):
    """A simple model of a task, by all labelled rows of the eval split."""

    rows: int = Field(0, description="Training rows that it was fitted to.")
    seconds: float = 0.0
    problem: str = Field("", description="Why there is none.")
    metrics: dict[str, float | None] = Field({}, description="Metric → value, of those that need no threshold.")
    error: float | None = Field(
        None, description="Standard error of the network's compared metric less this model's, over the sampled rows."
    )


class TaskBaselines(BaseModel):
    """The simple models of a task."""

    metric: str = Field(description="The metric by which they are compared with the network.")
    sampled: int = Field(0, description="Labelled rows among those sampled.")
    models: dict[str, BaselineAnalysis] = {}


class ColumnSide(BaseModel):
    """A column in one split; a number that does not apply is None."""

    present: int
    missing_share: float
    mean: float | None = None
    deviation: float | None = None
    least: float | None = None
    median: float | None = None
    greatest: float | None = None
    distinct: int | None = None


class Bar(BaseModel):
    """A value, or a range of values, and its share in each split."""

    label: str
    train: float
    eval: float


class ColumnAnalysis(BaseModel):
    """A column in both splits."""

    name: str
    type: str
    train: ColumnSide | None = None
    eval: ColumnSide | None = None
    bars: list[Bar] = []
    measure: str = ""
    distance: float | None = None
    unseen: float | None = Field(None, description="Share of eval's values that the training split does not have.")
    outside: float | None = Field(None, description="Share of eval's numbers outside the training split's range.")


class AnomalyLine(BaseModel):
    """An anomaly that ExampleValidator reported."""

    split: str
    column: str
    severity: str
    text: str


class NodeLineage(BaseModel):
    """One component of the run in ML Metadata."""

    node: str
    execution: int
    cached: bool
    takes: list[str] = Field(description="Components whose artifacts it read.")
    inputs: list[str] = Field(description="`key: Type 12`.")
    outputs: list[str] = Field(description="`key: Type 12 at <uri>`.")


class Analysis(BaseModel):
    """The whole analysis; what a run did not reach is empty, and a note says why something could not be read."""

    key: str = Field("", description="Digest of the artifacts, configuration and code that it was made from.")
    sampled: int = Field(0, description="Rows of the eval split that were predicted again.")
    read: int = Field(0, description="Rows that they were drawn from.")
    importance_rows: int = 0
    importance_repeats: int = 0
    jackknife_groups: int = 0
    tasks: dict[str, TaskAnalysis] = {}
    baselines: dict[str, TaskBaselines] = {}
    shown: list[ShownRow] = []
    columns: list[ColumnAnalysis] = []
    anomalies: list[AnomalyLine] | None = None
    lineage: list[NodeLineage] = []
    notes: list[str] = []
