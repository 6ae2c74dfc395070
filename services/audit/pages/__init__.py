"""HTML for auditors, operators and staff."""

from services.audit.pages.checkpoint import router as checkpoint
from services.audit.pages.completeness import router as completeness
from services.audit.pages.dossier import router as dossier
from services.audit.pages.explorer import router as explorer
from services.audit.pages.exports import router as exports
from services.audit.pages.fragments import router as fragments
from services.audit.pages.past import router as past
from services.audit.pages.purpose import router as purpose
from services.audit.pages.referrals import router as referrals
from services.audit.pages.retention import router as retention
from services.audit.pages.sampling import router as sampling
from services.audit.pages.saved import router as saved
from services.audit.pages.verification import router as verification
from services.audit.pages.watching import router as watching

routers = [
    explorer,
    exports,
    verification,
    checkpoint,
    completeness,
    past,
    dossier,
    referrals,
    retention,
    saved,
    purpose,
    sampling,
    fragments,
    watching,
]
