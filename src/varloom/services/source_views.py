"""What the outside sees of a URL before it becomes a job."""

from pydantic import Field

from varloom.services.views import ErrorView, View


class SourcePreflightView(View):
    """What a URL by itself tells. Where `error` says that it is none, everything else is null or empty."""

    url: str | None = Field(default=None, description="without what could be secret")
    name: str | None = Field(default=None, description="what the file is called there")
    sample_name: str | None = Field(default=None, description="what the sample is called if no name is given")
    has_access: bool = Field(default=False, description="whether the URL carries a signature or a password of its own")
    credentials: list[str] = Field(default=[], description="names of the account's credentials that may be sent for it")
    error: ErrorView | None = Field(default=None, description="why it cannot be loaded; nothing of the URL is repeated")


class SourcePreflightList(View):
    """What several URLs tell, in the order in which they were given."""

    sources: list[SourcePreflightView]
    stored_credentials: int = Field(description="how many credentials the account has, for whatever place")
