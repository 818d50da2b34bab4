"""Why a figure moved: whether it did, when, where, what happened then, and what stays unexplained."""

from opslib.investigation.causes import possible_causes, unexplained
from opslib.investigation.course import daily_course, level_changes
from opslib.investigation.parts import factor_effects, mix_and_rate, moved_slices, slice_cells
from opslib.investigation.questions import FigureChange, Question, choose_question, measured_change
