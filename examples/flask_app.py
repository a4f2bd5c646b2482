"""A Flask app with the dashboard at /ops/tasks; Django is the same, with its ``application``.

ASYNQPY_REDIS_URL=redis://localhost flask --app examples.flask_app run
"""

from __future__ import annotations

import os

from a2wsgi import ASGIMiddleware
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from asynqpy import Client, Task
from asynqpy.web import BasicLogin, create_app

REDIS = os.environ.get("ASYNQPY_REDIS_URL", "redis://localhost:6379/0")

app = Flask(__name__)
client = Client(REDIS)
dashboard = create_app(REDIS, login=BasicLogin({"ann": os.environ.get("DASHBOARD_PASSWORD", "ann")}))


@app.post("/welcome/<int:user_id>")
def welcome(user_id: int) -> dict[str, str]:
    return {"task": client.enqueue(Task("email:welcome", {"user_id": user_id}), queue="mail").id}


app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/ops/tasks": ASGIMiddleware(dashboard)})  # type: ignore[method-assign]
