"""The sessions of browsers, with whose each is. Who was signed in before signs in again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.CreateModel(
            name="BrowserSession",
            fields=[
                (
                    "session_key",
                    models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name="session key"),
                ),
                ("session_data", models.TextField(verbose_name="session data")),
                ("expire_date", models.DateTimeField(db_index=True, verbose_name="expire date")),
                ("person", models.BigIntegerField(db_index=True, null=True)),
            ],
            options={
                "verbose_name": "session of a browser",
                "verbose_name_plural": "sessions of browsers",
                "db_table": "browser_sessions",
            },
        ),
    ]
