"""An MCP server of one tool, over its standard streams."""

from mcp.server.fastmcp import FastMCP

server = FastMCP("prices")


@server.tool()
def price(article: str, pieces: int = 1) -> str:
    """What so many pieces of an article cost."""
    if article != "tea":
        raise ValueError(f"no {article} here")
    return f"{3 * pieces} euros"


if __name__ == "__main__":
    server.run()
