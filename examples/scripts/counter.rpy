# `cache()` keeps the resource of the first run, and with it what it remembers.
from sennit.web.resource import Resource

cache()


class Counter(Resource):
    isLeaf = True
    visits = 0

    def render_GET(self, request):
        self.visits += 1
        request.setHeader("Content-Type", "text/plain")
        return f"Visit {self.visits}\n"


resource = Counter()
