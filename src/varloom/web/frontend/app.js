// What every page needs: live jobs, the Job Manager's drawer, uploads, the theme, and messages.
import "./markup.js";
import { startConfirm } from "./confirm.js";
import { startDemoLoading } from "./demo_loading.js";
import { startJobFilter } from "./job_filter.js";
import { startJobManager } from "./job_manager.js";
import { startJobSelection } from "./job_selection.js";
import { startLiveJobs } from "./live_jobs.js";
import { startNotifications } from "./notifications.js";
import { startPrinting } from "./printing.js";
import { startRetryDialog } from "./retry_dialog.js";
import { startTheme } from "./theme.js";
import { startTimes } from "./times.js";
import { startToasts } from "./toasts.js";
import { startUploads } from "./uploads.js";

startTimes();
startTheme();
startToasts();
startConfirm();
startJobManager();
startRetryDialog();
startJobFilter();
startJobSelection();
startPrinting();
startNotifications();
startUploads();
startDemoLoading();
startLiveJobs();
